"""How the embedded models were made. Not part of the installed package."""
