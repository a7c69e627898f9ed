"""Serves a finished run over OpenAI's chat protocol, with a web page."""
