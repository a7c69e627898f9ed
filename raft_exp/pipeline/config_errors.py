"""One-line messages for settings that do not exist, and for values that pydantic rejects.

A message names the setting as the user writes it (`dataset.p`), its value, and the valid values.
"""

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType
from typing import get_args, get_origin, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from raft_exp.core.bounds import remedy
from raft_exp.core.errors import suggest
from raft_exp.core.schema import setting_name
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.renamed import RENAMED


def explained(error: ValidationError, parents: tuple[str, ...] = (), group: str = "") -> list[str]:
    """Returns one message for each invalid field.

    For a union of types, one message lists the valid values of all types. `parents`: the groups above the fields.
    `group`: the name that replaces `parents` in the remedy, if the user writes another one
    (`evaluation.conditions.NAME`).
    """
    problems: dict[str, str] = {}
    remedies: dict[str, str] = {}
    for problem in error.errors():
        place = _place((*parents, *problem["loc"]))
        known = problems.get(place)
        other = _constraint(problem).removeprefix("must be ")
        problems[place] = _explain(place, problem) if known is None else f"{known}, or {other}"
        setting = group + place.removeprefix(".".join(parents)) if group else place
        remedies[place] = remedies.get(place) or remedy(setting, problem)
    return [message + remedies[place] for place, message in problems.items()]


def unknown_key(path: str, option: object = "") -> str:
    """Returns the error message for the unknown setting `path` (`dataset.q`), with the closest existing name.

    `option`: the chosen option of the setting's group, such as the value of corpus.name. The message lists the settings
    of this option.
    """
    if path in RENAMED:
        return f"{path}: was renamed to {RENAMED[path]}; set {RENAMED[path]}=..."
    *parents, name = path.split(".")
    kind: object = Config
    for number, parent in enumerate(parents):
        names = _names(kind)
        if parent not in names:
            return f"{path}: no such setting; {'.'.join(parents[: number + 1])} is unknown; {suggest(parent, names)}"
        kind = names[parent]
        if _takes_new_names(kind):
            return f"{path}: a new name in {'.'.join(parents[: number + 1])} needs a plus sign: +{path}=..."
    if _takes_new_names(_names(kind).get(name)):
        return f"{path}: a new name in {path} needs a plus sign: +{path}=..."
    known = [*_names(_member(kind, option)), *(() if parents else ("experiment", "debug"))]
    if name in _names(kind):  # a setting of another corpus, teacher, logger ...
        group = parents[-1] if parents else name
        return f"{path}: the chosen {group} has no such setting; remove it, or choose a {group} that has it"
    return f"{path}: no such setting; {suggest(name, known)}"


def _takes_new_names(kind: object) -> bool:
    """Whether a setting of this type is a mapping whose names the user chooses."""
    return dict in (get_origin(kind), *(get_origin(inner) for inner in get_args(kind)))


def _explain(place: str, problem: ErrorDetails) -> str:
    kind, got = problem["type"], problem.get("input")
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(place, problem["loc"][-2] if len(problem["loc"]) > 1 else "")
    if kind in ("missing", "missing_argument") or got == "???":
        return f"{place}: has no value; set {place}=..."
    if kind == "value_error":
        message = str(problem["ctx"]["error"]).replace("arms.*", place)  # an arm's validator cannot see its name
        shared = place and message.partition(":")[0] in ("base_url", "api_key_env")  # settings that several groups have
        return f"{place.removesuffix('.openai')}.{message}" if shared else message
    if kind == "union_tag_invalid":
        return f"{place}.name: got {problem['ctx']['tag']!r}; must be one of {problem['ctx']['expected_tags']}"
    return f"{place}: got {got!r}; {_constraint(problem)}"


def _constraint(problem: ErrorDetails) -> str:
    """Rewrites pydantic's message as a constraint: `must be ...`."""
    message = re.sub(r"^(Input|String|List) should ", "must ", problem["msg"])
    message = message if message.startswith("must ") else f"must be {message}"
    message = message.replace("a valid boolean", "true or false")
    return message.replace("instance of ", "").replace("'", '"')


def _place(location: tuple[int | str, ...]) -> str:
    """Returns the name of a setting (`dataset.p`) for a location of pydantic, without the names of union members."""
    kind: object = Config
    parts: list[str] = []
    for number, part in enumerate(location):
        kind = _without_none(kind)
        names = _names(kind)
        if get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        elif part in names:
            kind = names[str(part)]
        elif settings := _settings_beside_a_value(kind):  # the name of a member of the union
            kind = settings
            continue
        elif not names and parts:
            break  # a plain value: the rest of the location names a member of a union of types
        elif number + 1 < len(location):
            continue  # the name of a member of a union of configs
        parts.append(str(part))
    return ".".join(parts)


def _without_none(kind: object) -> object:
    """Returns the type X of `X | None`; other types unchanged."""
    members = [member for member in get_args(kind) if member is not NoneType]
    return members[0] if NoneType in get_args(kind) and len(members) == 1 else kind


def _settings_beside_a_value(kind: object) -> object:
    """Returns the dataclass of a union of a plain value and a dataclass (`int | DistractorRange`); else None."""
    members = [member for member in get_args(kind) if member is not NoneType]
    settings = next((member for member in members if is_dataclass(member)), None)
    return settings if not all(map(is_dataclass, members)) else None


def _member(kind: object, option: object) -> object:
    """Returns the dataclass of the union `kind` whose `name` is `option`; `kind` itself if there is none."""
    members = get_args(get_args(kind)[0]) if hasattr(kind, "__metadata__") else get_args(kind)
    return next((member for member in members if option in get_args(_names(member).get("name"))), kind)


def _names(kind: object) -> Mapping[str, object]:
    """Returns the type of each field by its name: of one dataclass, or of all dataclasses in a union."""
    if is_dataclass(kind):
        return {setting_name(name): hint for name, hint in get_type_hints(kind).items()}
    if get_args(kind):
        members = [get_args(kind)[0]] if hasattr(kind, "__metadata__") else get_args(kind)
        return {name: hint for member in members for name, hint in _names(member).items()}
    return {}
