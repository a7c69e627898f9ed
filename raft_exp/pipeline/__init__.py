"""A study as stages: its settings, its store, and what runs the stages."""
