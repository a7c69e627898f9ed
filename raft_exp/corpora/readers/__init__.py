"""Readers of file formats, one format per module."""
