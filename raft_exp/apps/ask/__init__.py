"""Answers a question with a finished run: retrieves passages, renders the prompt as in training, checks citations."""
