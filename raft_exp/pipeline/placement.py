"""Chooses the process in which each stage runs.

Stages that use a GPU or start distributed ranks run in separate processes. Stages with the same loaded model share a
process. Each function returns the name of a process (`Stage.process`); None is the main process of the study.
"""

from collections.abc import Iterable

from raft_exp.core.stage import Stage
from raft_exp.engines import EngineConfig
from raft_exp.evaluation.judge.config import JudgeConfig
from raft_exp.models.cross_encoder import RerankConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.nli import NliConfig
from raft_exp.pipeline.config import Config
from raft_exp.tasks.model import is_local
from raft_exp.teachers import TeacherConfig


def of_training(config: Config, label: str) -> str | None:
    """Returns the process of the training `label`; None (the main process) for a training on one CPU device.

    A training with a GPU or with several ranks needs a process of its own, because Lightning starts each further rank
    with the command line of that process.
    """
    return f"train[{label}]" if _holds_device(config) or config.trainer.rank_launcher else None


def of_answers(config: Config, engine: EngineConfig, adapter: str | None) -> str | None:
    """Returns the process that generates the replies of an arm. `adapter`: key or folder of the arm's trained weights.

    Arms share a process if the same loaded engine can generate their replies. vLLM frees its memory only when its
    process ends.
    """
    if engine.name == "openai":
        return None
    if engine.name == "vllm":
        return f"evaluate with {engine}" + (f" and {adapter}" if adapter and engine.adapters == "merged" else "")
    return "evaluate" if _holds_device(config) else None


def of_teacher(teacher: TeacherConfig) -> str | None:
    """Returns the process of a teacher model that may use a GPU, else None. Both stages of the teacher share it."""
    return _of_local("teacher", teacher)


def of_judge(judge: JudgeConfig) -> str | None:
    """Returns the process of a judge that may use a GPU, else None. All stages of the judge share it."""
    return _of_local("judge", judge)


def _of_local(role: str, model: object) -> str | None:
    if not is_local(model) or (model.engine.name == "transformers" and model.engine.accelerator == "cpu"):
        return None
    return f"{role} {model.model} with {model.engine}"


def of_encoder(config: EncoderConfig | RerankConfig | NliConfig, name: str) -> str | None:
    """Returns `name` as the process of a stage whose encoder may use a GPU, else None."""
    return None if config.accelerator == "cpu" else name


def together(stages: Iterable[Stage]) -> list[Stage]:
    """Reorders stages so that stages of one process follow each other, and the process starts only once."""
    groups: dict[str | None, list[Stage]] = {}
    for stage in stages:
        groups.setdefault(stage.process, []).append(stage)
    return [stage for group in groups.values() for stage in group]


def _holds_device(config: Config) -> bool:
    return config.trainer.accelerator != "cpu" or config.trainer.devices != 1
