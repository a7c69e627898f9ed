"""Answers of the arms, their scores, and the statistics of the differences."""
