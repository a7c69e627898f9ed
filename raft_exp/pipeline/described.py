"""Descriptions of the settings: types from the dataclasses, default values and comments from the files of conf/."""

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Le, Lt

from raft_exp.core.comments import Setting, YamlFile, field_comments, read_yaml
from raft_exp.core.schema import setting_name
from raft_exp.pipeline.config import conf_dir

_PLAIN = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true, false",
    object: "any value",
    types.NoneType: "null",
}
_SIGNS = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}


def files_of(group: str) -> list[Path]:
    """Returns the shipped YAML files of a group of settings, sorted by name."""
    return sorted((conf_dir() / group).glob("*.yaml"))


def with_bases(file: Path) -> YamlFile:
    """Returns the settings of a YAML file, together with those of the files in its `defaults` list."""
    own = read_yaml(file)
    settings: dict[str, Setting] = {}
    for base in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", []):
        if isinstance(base, dict):  # {/task@targets: cot_answer}: a file of another group, under a name
            ((place, option),) = base.items()
            group, _, name = place.strip("/").partition("@")
            if option is None:  # no file by default: the group's first file describes the settings
                option = files_of(group)[0].stem
            other = with_bases(conf_dir() / group / f"{option}.yaml").settings
            settings |= {f"{name}.{key}": setting for key, setting in other.items()}
        elif base != "_self_":
            settings |= with_bases(file.parent / f"{base}.yaml").settings
    return YamlFile(own.about, settings | own.settings)


def first_sentence(about: str) -> str:
    """Returns the first sentence of the comment at the head of a file."""
    return re.split(r"(?<=[.?])(?<!et al\.)\s", about)[0]


def value_text(value: object) -> str:
    """Returns a default value as text for the command line. Cuts texts over 60 characters; a mapping is `{...}`."""
    if isinstance(value, str):
        short = " ".join(value.split()) or '""'
        return short if len(short) <= 60 else f"{short[:57]}..."
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def setting_rows(kind: type, prefix: str = "") -> Iterator[tuple[str, object, str]]:
    """Yields name, type and comment of each field of a dataclass, including the fields of nested dataclasses.

    Of a union of dataclasses, the fields of the first one follow. The fields of an `engine` at the top level are left
    out. `prefix` is put before each name.
    """
    comments = field_comments(kind)
    for name, hint in type_hints(kind).items():
        yield f"{prefix}{name}", hint, comments.get(name, "")
        for member in dataclasses_in(hint)[:1] if name != "engine" or prefix else []:
            yield from setting_rows(member, f"{prefix}{name}.")


def type_hints(kind: type) -> Mapping[str, object]:
    """Returns the type of each setting of a dataclass, with the metadata of `Annotated`."""
    names = {field.name for field in fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    return {setting_name(name): hint for name, hint in hints.items() if name in names}


def dataclasses_in(hint: object) -> list[type]:
    """Returns the dataclasses in a type: several for a union, [] for a type without dataclasses."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    if get_origin(hint) is Annotated:
        return dataclasses_in(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return [member for part in get_args(hint) for member in dataclasses_in(part)]
    return []


def is_runtime(hint: object) -> bool:
    """Whether a field changes only how a study runs, not its result (`core.schema.Runtime`)."""
    return any(type(mark).__name__ == "_RuntimeMark" for mark in getattr(hint, "__metadata__", ()))


def type_text(hint: Any) -> str:
    """Returns the values that a type allows, as text: `text or null`, `integer ≥ 1`, `none | raft`."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        limits = [limit for mark in marks for limit in _limits(mark)]
        return " ".join([type_text(inner), *limits])
    if get_origin(hint) is Literal:
        return " | ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_text(part) for part in get_args(hint)))
    if get_origin(hint) is list:
        return f"list of {type_text(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        name, value = get_args(hint)
        return f"map of {type_text(name)} to {'settings' if is_dataclass(value) else type_text(value)}"
    if isinstance(hint, type) and is_dataclass(hint):
        return "settings below"
    return _PLAIN.get(hint, getattr(hint, "__name__", str(hint)))


def _limits(mark: object) -> Iterator[str]:
    for limit in getattr(mark, "metadata", [mark]):
        if type(limit) in _SIGNS:
            name, sign = _SIGNS[type(limit)]
            yield f"{sign} {getattr(limit, name):,}".replace("4,294,967,296", "2^32")
