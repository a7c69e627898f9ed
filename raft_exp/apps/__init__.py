"""The commands: the study itself, and ask, export, label, paper, plan, publish, report, serve, store."""
