"""Quotes paths on the command line for Hydra, so that a path may hold any character."""

import re
from collections.abc import Iterable
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

# The last parts of the names of settings whose value may be a path.
_PATHS = "path|questions|train|test|cache|passages|store|local_store|ledger|name_or_path|adapter|dir|file|labels"
_SETTING = re.compile(rf"(\+{{0,2}}(?:[\w@/-]+\.)*(?:{_PATHS}))=(.+)", re.S)


def with_quoted_paths(arguments: Iterable[str]) -> list[str]:
    """Returns the arguments with quotes around each path that exists, or that Hydra cannot parse without quotes.

    Without quotes, Hydra reads brackets as lists, commas as sweeps and digits as numbers. It rejects many other
    characters. A value that already has quotes, or contains `${...}`, is not changed.
    """
    return [_quoted(argument) for argument in arguments]


def _quoted(argument: str) -> str:
    match = _SETTING.fullmatch(argument)
    if not match:
        return argument
    setting, value = match.groups()
    if value == "null" or "${" in value or (value[0] in "'\"" and value[-1] == value[0] and len(value) > 1):
        return argument
    if not _exists(value) and _is_read(argument):
        return argument
    return f"{setting}={QuotedString(value, Quote.single).with_quotes()}"


def _exists(value: str) -> bool:
    try:
        return Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, with NUL, or with ~ of an unknown user
        return False


def _is_read(argument: str) -> bool:
    """Whether Hydra can parse an argument."""
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True
