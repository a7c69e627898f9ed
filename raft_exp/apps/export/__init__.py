"""What an exported model carries beside its weights: tokenizer, generation settings, how to prompt it, a card."""
