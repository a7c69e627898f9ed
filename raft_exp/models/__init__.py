"""Language models and sentence encoders: loading, token ids of prompts and replies, trained weights, merging."""
