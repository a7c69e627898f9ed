"""Stage `model`: converts a GGUF file to a model folder, once for all stages that use the model."""

import json
from pathlib import Path

from raft_exp.core.schema import Runtime, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.models import gguf, loading
from raft_exp.models.dtype import Dtype


@config_dataclass
class GgufStage:
    """Settings of the conversion. The store key depends on the content of the file, not on its name."""

    name_or_path: Runtime[str]
    group: Runtime[str]  # the config group of the model, for messages
    dtype: Dtype  # data type of the weights


@stage("model", gguf.VERSION)
def unpack(config: GgufStage, *, out: Path) -> None:
    """Writes config.json, tokenizer, weights (safetensors), README.md with the licence, and counts.json.

    Raises ModelError if the GGUF file is missing or damaged, or transformers cannot read its architecture.
    """
    write(config, out, weights=True)
    size = sum(file.stat().st_size for file in out.glob("*.safetensors"))
    (out / "counts.json").write_text(json.dumps({"megabytes": round(size / 1e6)}), encoding="utf-8")


def write(config: GgufStage, out: Path, weights: bool) -> None:
    """Writes the model folder. Without `weights`, writes only the files that checks and prompts need.

    Raises the same errors as `unpack`.
    """
    with loading.quiet(), loading.explained(config.name_or_path, None, config.group):
        gguf.write(gguf.find(config.name_or_path, config.group), out, config.dtype, weights)
