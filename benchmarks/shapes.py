"""Models of known shape with random weights, and rows of realistic lengths."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from raft_exp.training.rows import Rows

# Percentiles 0, 5, 25, 50, 75, 95, 100 of (prompt, completion) in tokens of MiniLM's vocabulary: PubMedQA-L with the
# raft recipe of +experiment=pubmedqa (350 rows); lost-in-the-middle's questions with their first 5 and with all 20
# passages, with completions of NQ's raft recipe.
_AT = (0, 5, 25, 50, 75, 95, 100)
_PUBMEDQA = ((259, 480, 611, 701, 817, 1020, 1363), (38, 58, 112, 145, 169, 219, 262))
_NQ5 = ((617, 678, 718, 754, 786, 843, 951), (34, 43, 52, 61, 73, 96, 167))
_NQ20 = ((2540, 2650, 2722, 2828, 2912, 3075, 3243), (34, 43, 52, 61, 73, 96, 167))
ROWS = {"pubmedqa": (_PUBMEDQA,), "nq": (_NQ5, _NQ20)}

# The head of the small model has a quarter of its parameters and is tied to the embeddings, as in Qwen2.5-0.5B.
MODELS: dict[str, dict[str, int | bool]] = {
    "small": {
        "vocab_size": 9984,
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
    },
    "3b": {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
    },
    "7b": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}


def lengths(rows: str, count: int) -> list[tuple[int, int]]:
    """(prompt, completion) of `count` rows, the same on every call; rows of several sorts take turns."""
    random, sorts = np.random.default_rng(0), ROWS[rows]
    draws = [[np.interp(random.uniform(0, 100), _AT, part) for part in sorts[n % len(sorts)]] for n in range(count)]
    order = random.permutation(count)
    return [(int(draws[n][0]), int(draws[n][1])) for n in order]


def model(name: str, accelerator: str) -> "PreTrainedModel":
    """A Qwen2 (on a CPU a Llama) of the shape, with the same random weights on every call."""
    import torch
    import transformers

    family = "Llama" if name == "small" else "Qwen2"
    settings = {"tie_word_embeddings": True, "max_position_embeddings": 32768, "attn_implementation": "sdpa"}
    config = getattr(transformers, f"{family}Config")(**settings | MODELS[name])
    torch.manual_seed(0)
    with torch.device("cuda" if accelerator == "gpu" else "cpu"):
        network = getattr(transformers, f"{family}ForCausalLM")(config)
    return network.to(torch.bfloat16 if accelerator == "gpu" else torch.float32)


def rows(name: str, count: int, vocabulary: int, folder: Path, stretch: int = 1) -> "Rows":
    """Encoded rows of random ids, with prompts `stretch` times as long."""
    from raft_exp.training.rows import Rows

    sizes = [(prompt * stretch, completion) for prompt, completion in lengths(name, count)]
    random = np.random.default_rng(1)
    flat = random.integers(3, vocabulary, sum(map(sum, sizes)), dtype=np.int64).astype(np.int32)
    completions = np.array([completion for _, completion in sizes])
    return Rows([f"r{n}" for n in range(count)], flat, np.cumsum([sum(size) for size in sizes]), completions)
