"""`python -m raft_exp.report`: makes the report of a finished run again, or compares several runs."""
