"""RAFT's data sets: which passages stand in a context, what a row learns, and the audit of it all."""
