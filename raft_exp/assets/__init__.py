"""What ships with the package: embedded models and the scripts that make them."""
