"""The sweepers that raft_exp adds to Hydra."""
