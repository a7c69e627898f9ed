"""What a stage is, and the key that names its result. Pure: nothing here reads or writes a file.

A stage is a plain function `function(config, *, <inputs>, out)`, which the decorator `stage` gives its name and version
where it stands; its keyword names say what it reads. A `Stage` is such a function with its settings and inputs in one
study (`raft_exp.pipeline.build`).
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from raft_exp.core.schema import identity

StageName = Literal[
    "ingest", "questions", "embed", "index", "targets", "dataset", "export", "train", "evaluate", "report"
]
STAGES: tuple[StageName, ...] = get_args(StageName)  # in the order they run

Function = TypeVar("Function", bound=Callable[..., None])
Inputs: TypeAlias = "Mapping[str, Stage | Mapping[str, Stage]]"


@dataclass(frozen=True)
class StageSpec:
    """What the store and the runner need to know of a stage's function."""

    name: StageName
    version: int  # raised when the code would make other bytes of the same settings
    resumable: bool  # goes on from what a killed run left in its folder


def stage(name: StageName, version: int, resumable: bool = False) -> Callable[[Function], Function]:
    """Marks a function as a stage of this name; the function itself stays as it is."""

    def mark(function: Function) -> Function:
        function.stage_spec = StageSpec(name, version, resumable)  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True)
class Stage:
    """One step of a study. `config` holds exactly the settings that the function sees: nothing else changes its result.

    Raises TypeError for inputs that are not the function's keyword names.
    """

    function: Callable[..., None]  # marked by `stage`
    config: Any
    inputs: Inputs = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # local input file name -> sha256 of its content
    part: str = ""  # which of several of its kind: `raft` in train[raft]
    # Holds a GPU, or starts ranks: runs in a process of this name, which stays for stages of the same that come next.
    process: str | None = None
    launcher: Sequence[str] = ()  # words before the command of that process, which start it on several devices or nodes

    def __post_init__(self) -> None:
        _, *keywords = inspect.signature(self.function).parameters.values()
        needed = {one.name for one in keywords if one.default is one.empty and one.name != "out"}
        if not needed <= set(self.inputs) <= {one.name for one in keywords} - {"out"}:
            raise TypeError(f"{self.function.__name__} reads {sorted(needed)}, and is given {sorted(self.inputs)}")

    @property
    def spec(self) -> StageSpec:
        """What its function was marked with."""
        spec: StageSpec = self.function.stage_spec  # type: ignore[attr-defined]
        return spec

    @property
    def name(self) -> str:
        """The kind of stage: one of STAGES."""
        return self.spec.name

    @property
    def label(self) -> str:
        """Its name in this study: `train[raft]`."""
        return f"{self.name}[{self.part}]" if self.part else self.name

    @property
    def resumable(self) -> bool:
        """Whether it goes on from what a killed run left in its folder."""
        return self.spec.resumable

    @cached_property
    def key(self) -> str:
        """sha256 of everything that changes the result: name, version, settings, upstream keys, input contents."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    @property
    def description(self) -> dict[str, Any]:
        """What the key is made of, as plain JSON values."""
        return {
            "stage": self.name,
            "version": self.spec.version,
            "config": identity(self.config),
            "inputs": {name: _keys(value) for name, value in self.inputs.items()},
            "files": dict(self.files),
        }

    def upstream(self) -> Iterator["Stage"]:
        """The stages that this one reads."""
        for value in self.inputs.values():
            yield from [value] if isinstance(value, Stage) else value.values()


def _keys(value: Stage | Mapping[str, Stage]) -> Any:
    return value.key if isinstance(value, Stage) else {name: stage.key for name, stage in value.items()}


def keys_upstream(last: Iterable[Stage]) -> set[str]:
    """The keys of these stages and of all that they read, directly or through others."""
    keys, waiting = set(), list(last)
    while waiting:
        stage = waiting.pop()
        keys.add(stage.key)
        waiting.extend(stage.upstream())
    return keys
