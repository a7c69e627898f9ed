"""Lets the command line choose a file of a group by the name of its setting: `evaluation.judge=openai`."""

import re
from collections.abc import Iterable

# setting -> Hydra's name of the group. For the setting's own name, Hydra would set the file's name as a text value.
_GROUPS = {"evaluation.judge": "judge@evaluation.judge", "evaluation.nli": "nli@evaluation.nli"}
_CHOICE = re.compile(rf"({'|'.join(map(re.escape, _GROUPS))})=([\w./-]+(?:,[\w./-]+)*)")


def with_group_names(arguments: Iterable[str]) -> list[str]:
    """Replaces the name of a setting by Hydra's name of its group: `evaluation.judge` by `judge@evaluation.judge`.

    Only arguments whose value is the name of a file, or a list of names for a sweep, are changed.
    """
    return [_named(argument) for argument in arguments]


def _named(argument: str) -> str:
    chosen = _CHOICE.fullmatch(argument)
    return f"{_GROUPS[chosen[1]]}={chosen[2]}" if chosen else argument


def setting_of(group: str) -> str:
    """Returns the setting by which the command line chooses a file of a group: `evaluation.judge` for `judge`."""
    return next((setting for setting, name in _GROUPS.items() if name == f"{group}@{setting}"), group)
