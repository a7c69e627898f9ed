"""Sweeps: the outcome of each job (jobs), the values to try (space), and a search that chooses them (search)."""
