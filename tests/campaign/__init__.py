"""What was tried to break raft_exp, with counts: `make campaign` (`python -m tests.campaign`) tries it again."""
