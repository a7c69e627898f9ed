"""Exports a model: weights, tokenizer, generation settings, prompt settings (raft_exp.json), and a model card."""
