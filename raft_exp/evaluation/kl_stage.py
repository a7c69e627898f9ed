"""Stage `kl`: measures how much the weights of an arm change the model's predictions on a text of general subjects.

The text, raft_exp/assets/general_text.txt, was written for this project. It is part of no corpus.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp import assets
from raft_exp.assets import ASSET
from raft_exp.core.errors import ModelError
from raft_exp.core.schema import Runtime, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.engines import TransformersEngine
from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig
from raft_exp.models.trained_weights import TrainedWeights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from raft_exp.evaluation.divergence import Logits

VERSION = 1
KL = "kl.json"
TEXT = assets.path(f"{ASSET}general_text.txt")


@config_dataclass
class KlStage:
    """Settings of a kl stage."""

    model: ModelConfig
    engine: TransformersEngine  # device and threads
    adapter: Runtime[str | None]  # a ready adapter folder; its content is in the key


@stage("kl", VERSION)
def kl(config: KlStage, *, out: Path, weights: Path | None = None) -> None:
    """Writes kl.json (a `Divergence`) and counts.json.

    `weights`: result folder of a train or select stage; None to use the adapter `config.adapter`. Raises ModelError if
    a model cannot be loaded, or if its probabilities are not finite.
    """
    from raft_exp.engines.transformers import device
    from raft_exp.evaluation.divergence import WINDOW, batches, divergence, windows

    trained = TrainedWeights.open(weights) if weights else TrainedWeights(Path(config.adapter or ""), is_adapter=True)
    with loading.quiet():
        cut = windows(loading.tokenizer_of(config.model), TEXT.read_text("utf-8"), min(WINDOW, config.model.max_length))
    with loading.cpu_threads(config.engine.threads):
        figures = divergence(*_models(config.model, trained, device(config.engine)), batches(cut))
    if not math.isfinite(figures["kl"]):
        raise ModelError(
            f"{trained.folder}: the model's probabilities on {TEXT.name} are not finite; train with a lower "
            "trainer.learning_rate, or leave out this measure (evaluation.kl=false)"
        )
    (out / KL).write_text(json.dumps(figures) + "\n", encoding="utf-8")
    (out / "counts.json").write_text(json.dumps({"tokens": figures["tokens"]}) + "\n", encoding="utf-8")


def _models(base: ModelConfig, trained: TrainedWeights, device: str) -> tuple["Logits", "Logits"]:
    """Returns the base model and the trained model. With an adapter, both are one loaded model."""
    model = loading.load(base, device)
    if not trained.is_adapter:
        return _logits(model), _logits(trained.load(base, device))
    adapted = loading.with_adapter(model, trained.folder)

    def without_adapter(ids: "torch.Tensor") -> "torch.Tensor":
        with adapted.disable_adapter():
            return _logits(adapted)(ids)

    return without_adapter, _logits(adapted)


def _logits(model: "PreTrainedModel") -> "Logits":
    def logits(ids: "torch.Tensor") -> "torch.Tensor":
        found: torch.Tensor = model(input_ids=ids.to(model.device), use_cache=False).logits
        return found

    return logits
