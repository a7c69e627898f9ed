"""Sweeps: running their jobs (jobs, folder), the values to try (space), and searches (search, objectives)."""
