"""What a reader sees of the results: the pages, the table in the terminal, and the verdict."""
