"""Shared code of all packages: errors, records, texts, sampling, the passage collection, files and processes."""
