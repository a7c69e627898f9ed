"""Generates the arms' answers to the test questions, scores them, and compares the arms statistically."""
