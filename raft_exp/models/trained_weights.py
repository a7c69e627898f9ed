"""The weights that a training writes: a LoRA adapter, or (with lora=full) a whole model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

ADAPTER, WHOLE_MODEL = "adapter", "model"  # the subfolder of a train stage's result that holds the weights


@dataclass(frozen=True)
class TrainedWeights:
    """A folder of trained weights, and whether they are an adapter of the base model or replace it.

    A ready adapter (`adapter=DIR` of an arm) is `TrainedWeights(folder, is_adapter=True)`.
    """

    folder: Path  # holds adapter_config.json, or the config.json of a whole model
    is_adapter: bool

    @classmethod
    def open(cls, training: Path) -> "TrainedWeights":
        """The weights in the result folder of a train stage.

        Without `model/config.json` they count as an adapter; its loader raises ModelError where that is missing too.
        """
        whole = training / WHOLE_MODEL
        if (whole / "config.json").is_file():
            return cls(whole, is_adapter=False)
        return cls(training / ADAPTER, is_adapter=True)

    @property
    def adapter(self) -> Path | None:
        """The folder of the LoRA adapter; None for a whole model."""
        return self.folder if self.is_adapter else None

    def model_config(self, base: ModelConfig) -> ModelConfig:
        """The model to load before the adapter: `base`, or the whole model with the other settings of `base`."""
        return base if self.is_adapter else replace(base, name_or_path=str(self.folder), revision=None)

    def load(self, base: ModelConfig, device: str = "cpu") -> "PreTrainedModel | PeftModel":
        """The trained model, in evaluation mode. Raises ModelError with the remedy."""
        return self._complete(loading.load(self.model_config(base), device))

    def load_to_merge(self, base: ModelConfig) -> "PreTrainedModel | PeftModel":
        """The trained model in float32 and without quantised weights. Raises ModelError with the remedy."""
        return self._complete(loading.load_to_merge(self.model_config(base)))

    def _complete(self, model: "PreTrainedModel") -> "PreTrainedModel | PeftModel":
        return loading.with_adapter(model, self.folder) if self.is_adapter else model
