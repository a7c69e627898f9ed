"""Sweeps: what became of each job (jobs), which values are tried (space), and a search that chooses them (search)."""
