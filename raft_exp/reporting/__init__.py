"""Reports of results: HTML and Markdown pages, CSV files, the table in the terminal, W&B."""
