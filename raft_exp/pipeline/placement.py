"""The process of each stage: a separate one for stages that hold a GPU or start ranks, shared by stages of one model.

The functions return a name (`Stage.process`); None stands for the process of the study.
"""

from collections.abc import Iterable

from raft_exp.core.stage import Stage
from raft_exp.engines import EngineConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.pipeline.config import Config
from raft_exp.teachers import TeacherConfig
from raft_exp.teachers.model import is_local


def of_training(config: Config, label: str) -> str | None:
    """A training has a process of its own, as Lightning starts DDP ranks with the arguments of the running process."""
    return f"train[{label}]" if _holds_device(config) or config.trainer.rank_launcher else None


def of_answers(config: Config, engine: EngineConfig, adapter: str | None) -> str | None:
    """The process that generates the replies of an arm; `adapter` names its weights (a stage's key, or a folder).

    Arms that one loaded engine can answer share a process. vLLM frees its memory only when its process ends.
    """
    if engine.name == "openai":
        return None
    if engine.name == "vllm":
        return f"evaluate with {engine}" + (f" and {adapter}" if adapter and engine.adapters == "merged" else "")
    return "evaluate" if _holds_device(config) else None


def of_teacher(teacher: TeacherConfig) -> str | None:
    """A teacher that holds a GPU has a process of its own, which its two stages share when they run in succession."""
    if not is_local(teacher) or (teacher.engine.name == "transformers" and teacher.engine.accelerator == "cpu"):
        return None
    return f"teacher {teacher.model} with {teacher.engine}"


def of_encoder(config: EncoderConfig, name: str) -> str | None:
    """A stage with an encoder that may hold a GPU has a process of this name."""
    return None if config.accelerator == "cpu" else name


def together(stages: Iterable[Stage]) -> list[Stage]:
    """Reorders stages so that those of one process follow each other, and the process starts once."""
    groups: dict[str | None, list[Stage]] = {}
    for stage in stages:
        groups.setdefault(stage.process, []).append(stage)
    return [stage for group in groups.values() for stage in group]


def _holds_device(config: Config) -> bool:
    return config.trainer.accelerator != "cpu" or config.trainer.devices != 1
