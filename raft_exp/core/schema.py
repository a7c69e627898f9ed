"""What every config dataclass is made of: strict types, no unknown keys, runtime fields marked.

Each config dataclass stands beside the code that it drives; `config.py` puts them together.
"""

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

T = TypeVar("T")


class _RuntimeMark:
    """Says that a field changes how a stage runs, never what comes out."""


_RUNTIME = _RuntimeMark()

# A runtime field (workers, inference batch, local path whose *content* is hashed) is left out of a stage's key.
Runtime = Annotated[T, _RUNTIME]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy and torch both take
PositiveFloat = Annotated[float, Field(gt=0)]


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def config_dataclass(cls: type[T]) -> type[T]:
    """A frozen dataclass that takes no unknown keys and converts nothing: "3" is not a number, 1 is not true."""
    made: type[T] = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))(cls)  # type: ignore[assignment]
    return made


def identity(config: Any) -> Any:
    """The fields that change a result, as plain JSON values: runtime fields are left out, at any depth."""
    if is_dataclass(config) and not isinstance(config, type):
        hints = get_type_hints(type(config), include_extras=True)
        return {f.name: identity(getattr(config, f.name)) for f in fields(config) if not _is_runtime(hints[f.name])}
    if isinstance(config, dict):
        return {str(name): identity(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [identity(value) for value in config]
    return config


def _is_runtime(hint: Any) -> bool:
    return any(isinstance(mark, _RuntimeMark) for mark in getattr(hint, "__metadata__", ()))
