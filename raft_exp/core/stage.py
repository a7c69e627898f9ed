"""The stages of a study, and the keys of their results. This module reads and writes no files.

A stage function has the signature `function(config, *, <inputs>, out)`: its keyword names are the names of its inputs.
The decorator `stage` gives the function a name and a version. A `Stage` combines a stage function with its settings and
inputs in one study; `raft_exp.pipeline.stages` creates them.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

from raft_exp.core.schema import identity
from raft_exp.core.shards import Sharded

StageName = Literal[
    "model",
    "ingest",
    "questions",
    "embed",
    "index",
    "rerank",
    "targets",
    "dataset",
    "export",
    "references",
    "train",
    "select",
    "evaluate",
    "judge",
    "judge_pairs",
    "citations",
    "transfer",
    "kl",
    "report",
]
STAGES: tuple[StageName, ...] = get_args(StageName)  # in order of execution

Function = TypeVar("Function", bound=Callable[..., None])
Inputs: TypeAlias = "Mapping[str, Stage | Mapping[str, Stage]]"


@dataclass(frozen=True)
class StageSpec:
    """The properties of a stage function that the store and the runner read."""

    name: StageName
    version: int  # must be raised when a change of the code changes the bytes of the result
    resumable: bool  # continues from the partial folder of a killed run
    sharded: Sharded | None = None  # how to spread the stage over several processes; None: it runs in one


def stage(
    name: StageName, version: int, resumable: bool = False, sharded: Sharded | None = None
) -> Callable[[Function], Function]:
    """Returns a decorator that stores a StageSpec on a stage function and returns the same function."""

    def mark(function: Function) -> Function:
        function.stage_spec = StageSpec(name, version, resumable, sharded)  # type: ignore[attr-defined]
        return function

    return mark


class StageDescription(TypedDict):
    """The values from which a stage's key is computed, as JSON values."""

    stage: str
    version: int
    config: object  # the fields that are part of the key (`schema.identity`)
    inputs: dict[str, str | dict[str, str]]  # name -> key of a stage, or {name: key} of several stages
    files: dict[str, str]  # local input file name -> sha256 of its content


@dataclass(frozen=True)
class Check:
    """A condition that is checked before a stage runs. It is not part of the stage's key.

    `function` is called with the folders of `inputs` as keyword arguments. It raises an error if the condition fails.
    """

    function: Callable[..., None]
    inputs: "Inputs"


@dataclass(frozen=True)
class Stage:
    """One step of a study. `config` holds all settings that change the result of the function.

    Raises TypeError if `inputs` lacks a keyword of the function that has no default, or has a name that is no keyword
    of it.
    """

    function: Callable[..., None]  # marked by `stage`
    config: Any
    inputs: Inputs = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # local input file name -> sha256 of its content
    part: str = ""  # tells stages of one name apart: `raft` in train[raft]
    # Name of the process, for a stage that uses a GPU or starts ranks. Consecutive stages with the same name share a
    # process. None: the process of the study.
    process: str | None = None
    launcher: Sequence[str] = ()  # command that starts this process on several devices or nodes: srun ...
    check: Check | None = None  # a condition to check before the stage runs, for example before it pays a teacher

    def __post_init__(self) -> None:
        _, *keywords = inspect.signature(self.function).parameters.values()
        required = {keyword.name for keyword in keywords if keyword.default is keyword.empty and keyword.name != "out"}
        known = {keyword.name for keyword in keywords} - {"out"}
        if not required <= set(self.inputs) <= known:
            raise TypeError(
                f"{self.function.__name__}: got the inputs {sorted(self.inputs)}; must have {sorted(required)}, "
                f"may have {sorted(known - required)}"
            )

    @property
    def spec(self) -> StageSpec:
        """The StageSpec of the function."""
        spec: StageSpec = self.function.stage_spec  # type: ignore[attr-defined]
        return spec

    @property
    def name(self) -> str:
        """The name of the stage function: one of STAGES."""
        return self.spec.name

    @property
    def label(self) -> str:
        """The name of the stage in its study: `name`, then `part` in brackets if there is one, as in `train[raft]`."""
        return f"{self.name}[{self.part}]" if self.part else self.name

    @property
    def resumable(self) -> bool:
        """Whether the function continues from the partial folder of a killed run."""
        return self.spec.resumable

    @cached_property
    def key(self) -> str:
        """sha256 over name, version, settings, upstream keys and contents of input files."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    @property
    def description(self) -> StageDescription:
        """The values from which the key is computed, as JSON values."""
        return {
            "stage": self.name,
            "version": self.spec.version,
            "config": identity(self.config),
            "inputs": {name: _keys(value) for name, value in self.inputs.items()},
            "files": dict(self.files),
        }

    def upstream(self) -> Iterator["Stage"]:
        """Yields the stages whose results this stage reads as inputs."""
        for value in self.inputs.values():
            yield from [value] if isinstance(value, Stage) else value.values()


def _keys(value: Stage | Mapping[str, Stage]) -> str | dict[str, str]:
    return value.key if isinstance(value, Stage) else {name: stage.key for name, stage in value.items()}


def keys_upstream(last: Iterable[Stage]) -> set[str]:
    """Returns the keys of the stages `last` and of all stages upstream of them."""
    keys, pending = set(), list(last)
    while pending:
        current = pending.pop()
        keys.add(current.key)
        pending.extend(current.upstream())
    return keys
