"""The commands: the study itself, and ask, serve, export, report, publish, store."""
