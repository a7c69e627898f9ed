"""In which process a stage runs: its own where it holds a GPU or starts ranks, one for several that share a model."""

from collections.abc import Iterable

from raft_exp.core.stage import Stage
from raft_exp.engines import EngineConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.pipeline.config import Config
from raft_exp.teachers import TeacherConfig
from raft_exp.teachers.model import is_local


def of_training(config: Config, recipe: str) -> str | None:
    """One process each: Lightning starts DDP ranks with the arguments of their process."""
    return f"train[{recipe}]" if _holds_device(config) or config.trainer.rank_launcher else None


def of_answers(config: Config, engine: EngineConfig, adapter: str | None) -> str | None:
    """Arms that one loaded engine answers share a process; only the end of its process frees vLLM's memory."""
    if engine.name == "openai":
        return None
    if engine.name == "vllm":
        return f"evaluate with {engine}" + (f" and {adapter}" if adapter and engine.adapters == "merged" else "")
    return "evaluate" if _holds_device(config) else None


def of_teacher(teacher: TeacherConfig) -> str | None:
    """A teacher that holds a GPU has a process of its own, which both of its stages share where they follow at once."""
    if not is_local(teacher) or (teacher.engine.name == "transformers" and teacher.engine.accelerator == "cpu"):
        return None
    return f"teacher {teacher.model} with {teacher.engine}"


def of_encoder(config: EncoderConfig, name: str) -> str | None:
    """A stage that asks the encoder has a process of this name, where the encoder may hold a GPU."""
    return None if config.accelerator == "cpu" else name


def together(stages: Iterable[Stage]) -> list[Stage]:
    """The stages of one process one after another, so that it starts once."""
    groups: dict[str | None, list[Stage]] = {}
    for stage in stages:
        groups.setdefault(stage.process, []).append(stage)
    return [stage for group in groups.values() for stage in group]


def _holds_device(config: Config) -> bool:
    return config.trainer.accelerator != "cpu" or config.trainer.devices != 1
