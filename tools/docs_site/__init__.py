"""Pages and tables of the documentation site that `make docs` generates from the code."""
