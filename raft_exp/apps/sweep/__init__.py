"""Sweeps: their jobs (modules `jobs`, `folder`), the values to try (`space`), and searches (`search`, `objectives`)."""
