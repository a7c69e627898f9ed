"""The model that decides whether a text supports a claim: a cross-encoder for natural language inference (NLI).

It reads a premise (a passage) and a hypothesis (a claim), and gives a score to each of its labels: entailment, and
neutral or contradiction. The premise entails the hypothesis if `entailment` has the highest score.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from raft_exp.core.errors import ModelError
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.models import cross_encoder, loading
from raft_exp.models.encoder import needs

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

GROUP = "evaluation.nli"  # the config group, in messages
ENTAILMENT = "entailment"


@config_dataclass
class NliConfig:
    """A cross-encoder for natural language inference: a hub id with a revision, or a local folder."""

    name_or_path: str  # a hub id, or a local folder
    revision: str | None = None  # commit on the hub
    max_length: Positive | None = None  # largest number of tokens of passages and claim together; null: the model's
    batch_size: Positive = 32  # pairs in a batch; it changes the last bits of a score, as accelerator does
    accelerator: Literal["cpu", "gpu", "auto"] = "auto"  # auto: a GPU if there is one


class Verdict(NamedTuple):
    """Whether a premise entails a hypothesis, and whether the texts were cut to the model's number of tokens."""

    entailed: bool
    cut: bool


Entails = Callable[[Sequence[tuple[str, str]]], list[Verdict]]  # pairs (premise, hypothesis) -> a verdict for each


def files(config: NliConfig) -> list[Path]:
    """Returns the local files whose content identifies the model; [] for a hub id.

    Raises ModelError if sentence-transformers is not installed, a hub id has no revision, or the labels in a local
    folder are not those of an NLI model.
    """
    needs("sentence_transformers")
    paths = loading.files(config, GROUP)
    settings = Path(loading.resolve(config.name_or_path, GROUP)) / "config.json"
    if settings.is_file():
        _entailment(config, json.loads(settings.read_text(encoding="utf-8")).get("id2label") or {})
    return paths


def load(config: NliConfig) -> Entails:
    """Loads the model, only from safetensors. Returns a function that decides on pairs (premise, hypothesis).

    Raises ModelError if the model cannot be loaded or has no label `entailment`. The returned function raises
    ModelError if memory runs out, or a score is NaN or infinite.
    """
    model = cross_encoder.open_model(config, GROUP)
    label = _entailment(config, model.config.id2label)

    def entails(pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        if not pairs:
            return []
        scores = cross_encoder.logits(model, config, GROUP, pairs)
        best = np.argmax(scores, axis=1) == label
        return [Verdict(*both) for both in zip(best.tolist(), _cut(model, pairs), strict=True)]

    return entails


def _entailment(config: NliConfig, labels: Mapping[str | int, str]) -> int:
    """Returns the number of the label `entailment`.

    Raises ModelError unless the model has at least two labels, and exactly one of them is `entailment`.
    """
    names = {int(number): name.lower() for number, name in labels.items()}
    numbers = [number for number, name in names.items() if name == ENTAILMENT]
    if len(names) < 2 or len(numbers) != 1:
        raise ModelError(
            f"{GROUP}.name_or_path={config.name_or_path!r}: the labels of the model are {sorted(names.values())}, but "
            f"{GROUP} needs at least two labels, one of them {ENTAILMENT!r}; use a cross-encoder for natural language "
            "inference, such as nli@evaluation.nli=deberta"
        )
    return numbers[0]


def _cut(model: "CrossEncoder", pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Returns for each pair whether it has more tokens than the model reads."""
    limit, tokenizer = model.max_length, model.tokenizer
    if limit is None:
        return [False] * len(pairs)
    first, second = ([cross_encoder.encodable(text) for text in texts] for texts in zip(*pairs, strict=True))
    with loading.quiet():  # the tokenizer warns of long texts
        return [len(ids) > limit for ids in tokenizer(first, second, truncation=False)["input_ids"]]
