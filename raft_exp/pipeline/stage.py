"""What a stage is, and the key that says which result it makes. Pure: nothing here reads or writes a file."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from raft_exp.core.schema import identity

Inputs: TypeAlias = "Mapping[str, Stage | Mapping[str, Stage]]"


@dataclass(frozen=True)
class Stage:
    """One step of a study: `function(config, **inputs, out=folder)`.

    `config` holds exactly the settings that the function sees, so nothing outside the key can change the result.
    """

    name: str  # the room: ingest, questions, targets, dataset, train, evaluate, report
    label: str  # the name in this study: "train[raft]"
    function: Callable[..., None]
    version: int  # raised when the code would make other bytes of the same settings
    config: Any
    inputs: Inputs = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # local input file name -> sha256 of its content
    resumable: bool = False  # goes on from what a killed run left in its folder
    # Holds a GPU, or starts ranks: runs in a process of this name, which stays for stages of the same that come next.
    process: str | None = None
    launcher: Sequence[str] = ()  # words before the command of that process, which start it on several devices or nodes

    @cached_property
    def key(self) -> str:
        """sha256 of everything that changes the result: name, version, settings, upstream keys, input contents."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    @property
    def description(self) -> dict[str, Any]:
        """What the key is made of, as plain JSON values."""
        return {
            "stage": self.name,
            "version": self.version,
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
