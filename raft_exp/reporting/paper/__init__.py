"""The page of the whole paper: its tables 1 and 2 and its figures 5 and 6, ours beside published (`make paper`)."""
