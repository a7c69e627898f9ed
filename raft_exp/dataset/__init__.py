"""RAFT's datasets: the passages of a context, the target of a row, the rendered rows and their audit."""
