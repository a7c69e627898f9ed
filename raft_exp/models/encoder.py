"""The sentence encoder for dense search and semantic similarity: a sentence-transformers model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from raft_exp.core.errors import ModelError
from raft_exp.core.schema import Count, Positive, config_dataclass
from raft_exp.models import loading

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

Encode = Callable[[list[str], str], np.ndarray]  # (texts, prefix of each text) -> (texts, dimensions), float32
EncodeTokens = Callable[[list[str]], list[np.ndarray]]  # texts -> (tokens, dimensions) of each text, float32


@config_dataclass
class EncoderConfig:
    """A sentence-transformers model (a hub id with a revision, or a local folder), and the format of its input."""

    name_or_path: str
    revision: str | None
    query_prefix: str  # put before a question, as in the model's training
    passage_prefix: str  # put before a passage
    normalize: bool  # whether to scale vectors to length 1, so that dot products are cosines
    max_length: Positive | None  # largest number of tokens of a text; null: the model's limit
    exact_up_to: Count  # largest number of passages with exact search; with more, the index is approximate
    batch_size: Positive  # not a Runtime field, as it changes the last bits of a vector (accelerator does too)
    accelerator: Literal["cpu", "gpu", "auto"]


def files(config: EncoderConfig) -> list[Path]:
    """Returns the local files whose content identifies the encoder; [] for a hub id.

    Raises ModelError if sentence-transformers is not installed, or a hub id has no revision.
    """
    needs("sentence_transformers")
    return loading.files(config, "encoder")


def needs(module: str) -> None:
    """Raises ModelError if the optional package `module` is not installed."""
    if find_spec(module) is None:
        raise ModelError(
            f"dense search, reranking, semantic similarity or evaluation.nli needs the package {module}, which is not "
            "installed; pip install 'raft_exp[dense]'"
        )


def load(config: EncoderConfig) -> Encode:
    """Loads the encoder, only from safetensors. Returns a function that encodes texts.

    Raises ModelError if sentence-transformers is not installed, the encoder cannot be loaded, or accelerator=gpu is set
    on a machine without a GPU. The returned function raises ModelError if memory runs out.
    """
    model = _model(config)

    def encode(texts: list[str], prefix: str) -> np.ndarray:
        with _memory_explained(config):
            vectors = model.encode(
                _encodable(texts),
                prompt=prefix,
                batch_size=config.batch_size,
                normalize_embeddings=config.normalize,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    return encode


def load_tokens(config: EncoderConfig) -> EncodeTokens:
    """Loads the encoder. Returns a function that encodes the tokens of texts.

    The vectors are those of the last layer, before pooling. Texts get no prefix, and special tokens have no vector in
    the result. Raises ModelError as `load` does.
    """
    model = _model(config)

    def encode(texts: list[str]) -> list[np.ndarray]:
        with _memory_explained(config):
            found = model.encode(
                _encodable(texts), batch_size=config.batch_size, output_value=None, show_progress_bar=False
            )
        return [_of_words(model, one) for one in found]

    return encode


def _of_words(model: "SentenceTransformer", found: Mapping[str, "Tensor"]) -> np.ndarray:
    ids, vectors = found["input_ids"].tolist(), np.asarray(found["token_embeddings"].cpu(), dtype=np.float32)
    special = model.tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
    shown = [place for place, is_special in enumerate(special[: len(vectors)]) if not is_special]
    return vectors[shown]


def _encodable(texts: list[str]) -> list[str]:
    return [text.encode("utf-8", "replace").decode() for text in texts]  # tokenizers refuse lone surrogates


@contextmanager
def _memory_explained(config: EncoderConfig) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not loading.is_out_of_memory(error):
            raise
        raise ModelError(
            f"out of memory while encoding texts; lower encoder.batch_size (now {config.batch_size})"
        ) from error


def _model(config: EncoderConfig) -> "SentenceTransformer":
    needs("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    with loading.quiet(), loading.explained(config.name_or_path, config.revision, "encoder"):
        source = loading.source(config.name_or_path, config.revision, "encoder")
        model = SentenceTransformer(
            source["pretrained_model_name_or_path"],
            device=device_of(config.accelerator, "encoder"),
            model_kwargs={"use_safetensors": True},
            revision=source["revision"],
            local_files_only=source["local_files_only"],
            trust_remote_code=source["trust_remote_code"],
        )
    if config.max_length is not None:
        model.max_seq_length = config.max_length
    return model


def device_of(accelerator: str, group: str) -> str:
    """Returns torch's name of the device for `accelerator` (cpu, gpu or auto).

    Raises ModelError if `accelerator` is gpu and the machine has no GPU. `group`: the config group in the message.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if accelerator == "gpu" and not has_gpu:
        raise ModelError(f"{group}.accelerator: got 'gpu', but torch finds no GPU; use {group}.accelerator=cpu")
    return "cuda" if has_gpu and accelerator != "cpu" else "cpu"
