"""RAFT's data sets: the passages of a context, the target of a row, the rendered rows and their audit."""
