"""The sweepers of raft_exp for Hydra. Hydra finds sweepers only in the package `hydra_plugins`."""
