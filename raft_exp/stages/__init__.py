"""The stages of a study, one a file: plain functions from folders to a folder."""
