"""The page of the whole paper: tables 1 and 2 and figures 5 and 6, published and reproduced (`make paper`)."""
