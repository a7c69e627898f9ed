"""Settings of a judge: behind a server (`openai`) or in this process (`vllm`, `transformers`)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from raft_exp.core.schema import Count, config_dataclass
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.tasks.model import LocalModel, ServerModel
from raft_exp.tasks.task import Task

GROUP = "evaluation.judge"


@config_dataclass
class _RepeatedTask(Task):
    asked_again: Count  # further attempts after a reply that cannot be used

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply."""
        return self.asked_again


@config_dataclass
class JudgeTask(_RepeatedTask):
    """The task to judge one reply of an arm."""

    reply: Literal["verdict", "claims"]  # {"reason", "verdict"} | {"reason", "claims"}: each claim with its passages
    # Replies that are judged: all | answers_from_passages (not of arms without passages, and no refusals) | may_refuse
    # (of arms with passages, in a study with refusals)
    judges: Literal["all", "answers_from_passages", "may_refuse"]


@config_dataclass
class PairTask(_RepeatedTask):
    """The task to compare the replies of two arms to one question."""


Tasks = dict[str, JudgeTask | None]  # null leaves a shipped task out


@config_dataclass
class OpenaiJudge(ServerModel):
    """A judge behind a server with OpenAI's chat API."""

    group: ClassVar[str] = GROUP

    name: Literal["openai"]
    tasks: Tasks  # about one reply, by name: files of conf/task/, as in task@evaluation.judge.tasks.correct=NAME
    pair: PairTask | None  # null: no comparisons of two replies


@config_dataclass
class _LocalJudge(LocalModel):
    group: ClassVar[str] = GROUP

    tasks: Tasks  # about one reply, by name
    pair: PairTask | None  # null: no comparisons of two replies

    def named_tasks(self) -> Mapping[str, Task]:
        """Returns the tasks of the judge: `tasks.NAME` for each task about one reply, and `pair` if it is set."""
        named: dict[str, Task | None] = {f"tasks.{name}": task for name, task in self.tasks.items()}
        return {name: task for name, task in {**named, "pair": self.pair}.items() if task}


@config_dataclass
class VllmJudge(_LocalJudge):
    """A judge that runs in this process with vLLM."""

    name: Literal["vllm"]
    engine: VllmEngine


@config_dataclass
class TransformersJudge(_LocalJudge):
    """A judge that runs in this process with transformers."""

    name: Literal["transformers"]
    engine: TransformersEngine


JudgeConfig = Annotated[OpenaiJudge | VllmJudge | TransformersJudge, Field(discriminator="name")]


def tasks_of(judge: JudgeConfig) -> dict[str, JudgeTask]:
    """Returns the tasks about one reply, by name."""
    return {name: task for name, task in judge.tasks.items() if task}


def for_replies(judge: JudgeConfig) -> JudgeConfig:
    """Returns the judge without its task `pair`: this task must not change the keys of the stages `judge`."""
    return replace(judge, pair=None)


def for_pairs(judge: JudgeConfig) -> JudgeConfig:
    """Returns the judge with only its task `pair`: other tasks must not change the keys of the stages `judge_pairs`."""
    return replace(judge, tasks={})


def dated(judge: JudgeConfig, date: str) -> JudgeConfig:
    """Returns the judge with `date` as the date in its chat template. Does not change a judge behind a server."""
    return judge if isinstance(judge, OpenaiJudge) else replace(judge, model=replace(judge.model, date=date))


def model_name(judge: JudgeConfig) -> str:
    """Returns the name of the judge's model."""
    return judge.model if isinstance(judge, OpenaiJudge) else judge.model.name_or_path


def versions(judge: JudgeConfig) -> dict[str, str]:
    """Returns the setting of each task -> name and version of the task, for the report."""
    named: dict[str, Task | None] = {**judge.tasks, "pair": judge.pair}
    return {setting: f"{task.name}, version {task.version}" for setting, task in named.items() if task}


def shown(judge: JudgeConfig) -> dict[str, object]:
    """Returns the description of a judge for the settings in the report: model, tasks (name and version)."""
    return {"name": judge.name, "model": model_name(judge), "tasks": versions(judge)}
