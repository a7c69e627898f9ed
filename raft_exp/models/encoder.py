"""The sentence encoder of dense search and semantic similarity: of sentence-transformers, from the hub or a folder."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp.core.errors import ModelError
from raft_exp.core.schema import Count, Positive, config_dataclass
from raft_exp.models import loading as models

Encode = Callable[[list[str], str], np.ndarray]  # texts and their prefix -> shape (texts, dimensions), float32


@config_dataclass
class EncoderConfig:
    """Which model makes the vectors, and how it wants its texts."""

    name_or_path: str
    revision: str | None
    query_prefix: str  # stands before a question, as the model was trained
    passage_prefix: str  # stands before a passage
    normalize: bool  # vectors of length 1: the product is the cosine
    max_length: Positive | None  # tokens of a text; null: as the model says
    exact_up_to: Count  # passages that are all compared with; above, an approximate index is built
    batch_size: Positive  # with the device it decides the last bits of a vector: no runtime fields
    accelerator: Literal["cpu", "gpu", "auto"]


def files(config: EncoderConfig) -> list[Path]:
    """The local files whose content identifies the encoder; none for a hub id, which needs a revision (ModelError)."""
    needs("sentence_transformers")
    return models.files(config, "encoder")


def needs(module: str) -> None:
    """Raises ModelError with the remedy where an optional package is missing."""
    if find_spec(module) is None:
        raise ModelError(
            f"dense search or semantic similarity needs the package {module}, which is not there; "
            "pip install 'raft_exp[dense]'"
        )


def load(config: EncoderConfig) -> Encode:
    """The encoder, from safetensors alone. Raises ModelError with the remedy."""
    needs("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    with models.quiet(), models.explained(config.name_or_path, config.revision, "encoder"):
        source = models.source(config.name_or_path, config.revision, "encoder")
        model = SentenceTransformer(
            source.pop("pretrained_model_name_or_path"),
            device=_device(config),
            model_kwargs={"use_safetensors": True},
            **source,
        )
    if config.max_length is not None:
        model.max_seq_length = config.max_length

    def encode(texts: list[str], prefix: str) -> np.ndarray:
        try:
            found = model.encode(
                [text.encode("utf-8", "replace").decode() for text in texts],  # tokenizers take no lone surrogates
                prompt=prefix,
                batch_size=config.batch_size,
                normalize_embeddings=config.normalize,
                show_progress_bar=False,
            )
        except Exception as error:
            if not models.is_out_of_memory(error):
                raise
            raise ModelError(f"out of memory; lower encoder.batch_size (now {config.batch_size})") from error
        return np.asarray(found, dtype=np.float32)

    return encode


def _device(config: EncoderConfig) -> str:
    import torch

    found = torch.cuda.is_available()
    if config.accelerator == "gpu" and not found:
        raise ModelError("encoder.accelerator=gpu: torch finds no GPU; use encoder.accelerator=cpu")
    return "cuda" if found and config.accelerator != "cpu" else "cpu"
