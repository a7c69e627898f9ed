"""Citations: whether the passages that a reply quotes support the reply's claims."""
