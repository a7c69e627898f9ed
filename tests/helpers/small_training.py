"""A small training set of invented towns, and settings that train on it in seconds on one CPU thread."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from raft_exp import prompts
from raft_exp.core.records import ContextPassage, Example, write_jsonl
from raft_exp.engines import TransformersEngine
from raft_exp.evaluation.stage import EvaluateStage
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.loading import ModelConfig
from raft_exp.prompts import PromptConfig
from raft_exp.training.config import LoraConfig, TrainerConfig
from raft_exp.training.stage import TrainStage, train

CONF = Path(__file__).parents[2] / "conf"
TOWNS = ("Velmor", "Harwick", "Calton", "Garford", "Denbury", "Ostpel", "Yorzan", "Brivar", "Selham", "Tormere")


def values(group: str, option: str, **changes: Any) -> dict[str, Any]:
    """The values of one YAML file under conf/, with changes."""
    loaded: Any = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"))
    loaded.pop("defaults", None)
    return loaded | changes


def model_config(**changes: Any) -> ModelConfig:
    return ModelConfig(**values("model", "tiny", max_length=512, max_new_tokens=16) | changes)


def trainer_config(**changes: Any) -> TrainerConfig:
    on_cpu = {"accelerator": "cpu", "threads": 1, "batch_size": 4, "learning_rate": 2e-3, "max_steps": 8}
    return TrainerConfig(**values("trainer", "default", max_epochs=100, packing=True, **on_cpu) | changes)


def train_stage(model: dict[str, Any] | None = None, dropout: float = 0.1, seed: int = 0, **trainer: Any) -> TrainStage:
    lora = LoraConfig(**values("lora", "default", dropout=dropout))
    return TrainStage(model_config(**(model or {})), lora, trainer_config(**trainer), seed)


def evaluate_stage(model: dict[str, Any] | None = None, context: str = "passages", **changes: Any) -> EvaluateStage:
    settings: dict[str, Any] = {
        "model": model_config(**(model or {})),
        "engine": engine_config(),
        "prompt": prompt_config(),
        "prompt_mode": "plain_text",
        "context": context,
        "cot": False,
        "adapter": None,
    }
    return EvaluateStage(**settings | changes)


def engine_config(**changes: Any) -> TransformersEngine:
    return TransformersEngine(**values("engine", "transformers", accelerator="cpu", threads=1) | changes)


def encoder_config(**changes: Any) -> EncoderConfig:
    return EncoderConfig(**values("encoder", "minilm", accelerator="cpu") | changes)


def prompt_config(**changes: Any) -> PromptConfig:
    return PromptConfig(**values("prompt", "default") | changes)


def example(number: int, split: str, passages: int = 2) -> Example:
    """A question on one town, with `passages` passages of which the first is gold."""
    town, year = TOWNS[number % len(TOWNS)], str(1200 + 37 * number)
    names = [TOWNS[(number + offset) % len(TOWNS)] for offset in range(passages)]
    context = [
        ContextPassage(f"{name}#0", name, name, f"{name} is a town. It was founded in {year}.", name == town)
        for name in names
    ]
    messages = prompts.messages(prompt_config(), "plain_text", f"When was {town} founded?", context, False)
    if split != "test":
        messages = [*messages, {"role": "assistant", "content": f"##Answer: {year}"}]
    return Example(
        f"q{number}", f"When was {town} founded?", [year], context, True, f"##Answer: {year}", True, messages, split
    )


def dataset(folder: Path, train: int = 10, validation: int = 3, test: int = 0) -> Path:
    """A dataset folder; passages a row vary, so that lengths do."""
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    folder.mkdir(parents=True, exist_ok=True)
    rows = (example(number, split, passages=1 + number % 4) for number, split in enumerate(splits))
    write_jsonl(folder / "rows.jsonl", rows)
    return folder


def trained(out: Path, rows: Path, files: Iterable[str], **trainer: Any) -> dict[str, bytes]:
    """Trains, or goes on from what `out` holds; these files afterwards."""
    out.mkdir(exist_ok=True)
    train(train_stage(**trainer), dataset=rows, out=out)
    return contents(out, files)


def contents(out: Path, files: Iterable[str]) -> dict[str, bytes]:
    """Files by name."""
    return {name: (out / name).read_bytes() for name in files}
