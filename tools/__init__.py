"""Scripts that make the embedded models. Not part of the installed package."""
