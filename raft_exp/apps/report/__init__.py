"""`python -m raft_exp.report`: the report of a finished run again, or several runs beside each other."""
