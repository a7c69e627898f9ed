"""The pipeline of a study: settings, stages, store, and execution of the stages."""
