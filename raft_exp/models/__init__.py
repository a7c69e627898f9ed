"""Language models and encoders: how they are loaded, tokenised for and merged."""
