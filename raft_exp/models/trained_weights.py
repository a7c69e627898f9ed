"""The trained weights of a stage `train`: a LoRA adapter, or (with lora=full) a whole model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

ADAPTER, WHOLE_MODEL = "adapter", "model"  # subfolders of the result of stage `train` that may hold the weights


@dataclass(frozen=True)
class TrainedWeights:
    """A folder of trained weights: an adapter for the base model, or a whole model that replaces it.

    A ready adapter (`adapter=DIR` of an arm) is `TrainedWeights(folder, is_adapter=True)`.
    """

    folder: Path  # holds adapter_config.json, or the config.json of a whole model
    is_adapter: bool

    @classmethod
    def open(cls, training: Path) -> "TrainedWeights":
        """Returns the weights in the result folder `training` of stage `train`.

        The weights are a whole model if `model/config.json` exists, otherwise an adapter. Does not check that the
        adapter exists; `load` does.
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
        """Returns the config of the model to load first: `base`, or `base` with the folder of the whole model."""
        return base if self.is_adapter else replace(base, name_or_path=str(self.folder), revision=None)

    def load(self, base: ModelConfig, device: str = "cpu") -> "PreTrainedModel | PeftModel":
        """Loads the trained model in evaluation mode. Raises ModelError if this fails."""
        return self._complete(loading.load(self.model_config(base), device))

    def load_to_merge(self, base: ModelConfig) -> "PreTrainedModel | PeftModel":
        """Loads the trained model in float32, without quantised weights. Raises ModelError if this fails."""
        return self._complete(loading.load_to_merge(self.model_config(base)))

    def _complete(self, model: "PreTrainedModel") -> "PreTrainedModel | PeftModel":
        return loading.with_adapter(model, self.folder) if self.is_adapter else model
