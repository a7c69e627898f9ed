"""What raft_exp adds to Hydra."""
