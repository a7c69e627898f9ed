"""The client of a chat server: requests, retries, and what the server says."""
