"""Scripts that make the embedded models, data and the documentation site. Not part of the installed package."""
