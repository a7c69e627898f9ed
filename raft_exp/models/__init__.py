"""Language models and sentence encoders: checks, loading, token ids of prompts and replies, and merging of adapters."""

import logging

# If bitsandbytes is installed, PEFT imports it, and the import warns about an optional CPU kernel that is not used.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
