"""The base of all config dataclasses: strict types, no unknown fields, and marks for fields outside a stage's key.

The key of a stage is the hash that names its result in the store. Each config dataclass is defined beside the code that
uses it; `raft_exp.pipeline.config` combines them.
"""

from dataclasses import MISSING, field, fields, is_dataclass
from dataclasses import Field as DataclassField
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

T = TypeVar("T")


class _RuntimeMark:
    """Marks a field that is not part of a stage's key."""


class _KeyedWhenSetMark:
    """Marks a field that was added later. Its default gives the same results as the code before the field."""


class _KeyedUnlessListMark:
    """Marks a field that is part of a stage's key only where its value is not a list."""


_RUNTIME, _KEYED_WHEN_SET, _KEYED_UNLESS_LIST = _RuntimeMark(), _KeyedWhenSetMark(), _KeyedUnlessListMark()

# A field that is not part of a stage's key: it does not change the result (number of workers), or it is the path of a
# local file, and the key holds the content of that file instead.
Runtime = Annotated[T, _RUNTIME]

# A field that is part of a stage's key only where it differs from its default: a new setting changes no existing keys.
KeyedWhenSet = Annotated[T, _KEYED_WHEN_SET]

# A field that is part of a stage's key only where its value is not a list. The members of a list must be equivalent,
# for example servers of one model, so that the result does not depend on the list.
KeyedUnlessList = Annotated[T, _KEYED_UNLESS_LIST]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # the range that numpy and torch both accept
PositiveFloat = Annotated[float, Field(gt=0)]


@dataclass_transform(frozen_default=True, field_specifiers=(Field, field))
def config_dataclass(cls: type[T]) -> type[T]:
    """Class decorator: a frozen pydantic dataclass that rejects unknown fields and wrong types ("3" for an integer)."""
    strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    config_class: type[T] = dataclass(frozen=True, config=strict)(cls)  # type: ignore[assignment]
    return config_class


def setting_name(field_name: str) -> str:
    """Returns the name of the setting that a field holds: the field name without a final underscore.

    The field of the setting `for` is `for_`, because `for` is a keyword of Python.
    """
    return field_name.removesuffix("_")


def identity(config: object) -> Any:
    """Returns the fields of a config that are part of a stage's key, as JSON values.

    `Runtime` fields, `KeyedWhenSet` fields with their default value, and `KeyedUnlessList` fields with a list are left
    out at every depth.
    """
    if is_dataclass(config) and not isinstance(config, type):
        hints = get_type_hints(type(config), include_extras=True)
        return {
            field.name: identity(getattr(config, field.name))
            for field in fields(config)
            if _is_keyed(field, hints[field.name], getattr(config, field.name))
        }
    if isinstance(config, dict):
        return {str(name): identity(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [identity(value) for value in config]
    return config


def _is_keyed(field: DataclassField[object], hint: object, value: object) -> bool:
    marks = getattr(hint, "__metadata__", ())
    if any(isinstance(mark, _RuntimeMark) for mark in marks):
        return False
    if isinstance(value, list) and any(isinstance(mark, _KeyedUnlessListMark) for mark in marks):
        return False
    return not any(isinstance(mark, _KeyedWhenSetMark) for mark in marks) or value != _default(field)


def _default(field: DataclassField[object]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
