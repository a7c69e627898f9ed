"""The commands: the study itself, and ask, export, plan, publish, report, serve, store."""
