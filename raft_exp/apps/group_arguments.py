"""Lets the command line choose a file of a group by the name of its setting: `evaluation.judge=openai`."""

import re
from collections.abc import Iterable

# setting -> Hydra's name of its group; the setting alone would be a text without settings
_GROUPS = {"evaluation.judge": "judge@evaluation.judge", "evaluation.nli": "nli@evaluation.nli"}
_CHOICE = re.compile(rf"({'|'.join(map(re.escape, _GROUPS))})=([\w./-]+(?:,[\w./-]+)*)")


def with_group_names(arguments: Iterable[str]) -> list[str]:
    """Returns the arguments with Hydra's name of a group in place of the setting that a file of the group fills.

    An argument whose value is no name of a file, or no list of names for a sweep, is not changed.
    """
    return [_named(argument) for argument in arguments]


def _named(argument: str) -> str:
    chosen = _CHOICE.fullmatch(argument)
    return f"{_GROUPS[chosen[1]]}={chosen[2]}" if chosen else argument
