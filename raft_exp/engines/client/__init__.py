"""The client of a server with OpenAI's chat API: requests, retries, replies and errors."""
