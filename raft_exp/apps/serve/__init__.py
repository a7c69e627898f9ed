"""A finished run behind an endpoint that speaks OpenAI's chat protocol, with a page to ask it."""
