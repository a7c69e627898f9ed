"""The cross-encoder that orders retrieved passages again: a sentence-transformers CrossEncoder.

A cross-encoder reads the question and a passage together and returns one score. It is slower than a sentence encoder
and usually orders passages better, so it reads only the first passages of a ranking.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from raft_exp.core.errors import ModelError
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.models import loading
from raft_exp.models.encoder import device_of, needs

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

Score = Callable[[str, list[str]], np.ndarray]  # (question, texts) -> (texts,), float32; higher is more relevant
GROUP = "retriever.rerank"  # the config group, in messages


class PairModel(Protocol):
    """The settings of a model that reads two texts together: RerankConfig or NliConfig."""

    @property
    def name_or_path(self) -> str:
        """A hub id, or a local folder."""

    @property
    def revision(self) -> str | None:
        """The commit on the hub; None for a local folder."""

    @property
    def max_length(self) -> int | None:
        """The largest number of tokens of both texts together; None: the limit of the model."""

    @property
    def batch_size(self) -> int:
        """The number of pairs in a batch."""

    @property
    def accelerator(self) -> str:
        """The device: cpu, gpu or auto."""


@config_dataclass
class RerankConfig:
    """A cross-encoder (a hub id with a revision, or a local folder), and the number of passages that it reads."""

    name_or_path: str  # a hub id, or a local folder
    k_first: Positive  # number of passages that are ordered again; the first `retriever.k` are then used
    revision: str | None = None  # commit on the hub
    max_length: Positive | None = None  # largest number of tokens of question and passage; null: the model's limit
    batch_size: Positive = 32  # pairs in a batch; it changes the last bits of a score, as accelerator does
    accelerator: Literal["cpu", "gpu", "auto"] = "auto"  # auto: a GPU if there is one


def files(config: RerankConfig) -> list[Path]:
    """Returns the local files whose content identifies the cross-encoder; [] for a hub id.

    Raises ModelError if sentence-transformers is not installed, or a hub id has no revision.
    """
    needs("sentence_transformers")
    return loading.files(config, GROUP)


def load(config: RerankConfig) -> Score:
    """Loads the cross-encoder, only from safetensors. Returns a function that scores texts for a question.

    Scores are the model's logits, because a sigmoid would make large scores equal. Raises ModelError if the model
    cannot be loaded. The returned function raises ModelError if the model gives several scores for one pair, if memory
    runs out, or if a score is NaN or infinite.
    """
    model = open_model(config, GROUP)

    def score(question: str, texts: list[str]) -> np.ndarray:
        scores = logits(model, config, GROUP, [(question, text) for text in texts])
        if scores.shape != (len(texts),):
            raise ModelError(
                f"{GROUP}.name_or_path={config.name_or_path!r}: the model gives several scores for a question and a "
                "passage; use a cross-encoder with one score (num_labels=1)"
            )
        return scores

    return score


def open_model(config: PairModel, group: str) -> "CrossEncoder":
    """Loads a cross-encoder, only from safetensors. Its outputs are logits. `group`: the config group in messages.

    Raises ModelError if sentence-transformers is not installed, the model cannot be loaded, `config.max_length` is
    above the model's limit, or accelerator=gpu is set on a machine without a GPU.
    """
    needs("sentence_transformers")
    import torch
    from sentence_transformers import CrossEncoder

    with loading.quiet(), loading.explained(config.name_or_path, config.revision, group):
        source = loading.source(config.name_or_path, config.revision, group)
        model = CrossEncoder(
            source["pretrained_model_name_or_path"],
            device=device_of(config.accelerator, group),
            max_length=config.max_length,
            model_kwargs={"use_safetensors": True},
            revision=source["revision"],
            local_files_only=source["local_files_only"],
            trust_remote_code=source["trust_remote_code"],
            activation_fn=torch.nn.Identity(),
        )
    positions = getattr(model.config, "max_position_embeddings", None)
    if config.max_length is not None and isinstance(positions, int) and config.max_length > positions:
        raise ModelError(
            f"{group}.max_length: got {config.max_length}, but {config.name_or_path!r} has {positions} positions; set "
            f"{group}.max_length=null for the limit of the model"
        )
    return model


def logits(model: "CrossEncoder", config: PairModel, group: str, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Returns the model's logits for pairs of texts: shape (pairs,) for a model with one label, else (pairs, labels).

    Raises ModelError if memory runs out, or a logit is NaN or infinite.
    """
    texts = [(encodable(first), encodable(second)) for first, second in pairs]
    try:
        scores = np.asarray(model.predict(texts, batch_size=config.batch_size, show_progress_bar=False), np.float32)
    except Exception as error:
        if not loading.is_out_of_memory(error):
            raise
        raise ModelError(
            f"out of memory while scoring passages; lower {group}.batch_size (now {config.batch_size})"
        ) from error
    if not np.isfinite(scores).all():
        raise ModelError(
            f"{group}.name_or_path={config.name_or_path!r}: the model gave a score of NaN or infinity; use another "
            "cross-encoder"
        )
    return scores


def encodable(text: str) -> str:
    """Returns a text with "?" in place of lone surrogates, which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode()
