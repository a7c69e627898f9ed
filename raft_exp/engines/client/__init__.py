"""A client for servers with OpenAI's chat API: requests, retries, replies and errors."""
