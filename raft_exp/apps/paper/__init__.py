"""The whole paper in one command: its studies, the time to expect, and one page of tables and figures."""
