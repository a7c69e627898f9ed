"""Paths for readers: shared pages show the name of a file or folder, but not its place on the machine."""

import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath

_UNNAMED = "a local folder"  # for paths such as / or ..
_WINDOWS = re.compile(r"[A-Za-z]:[/\\]|\\\\|(?:~|\.{1,2})\\")
_POSIX = re.compile(r"file:|~[^/\s]*/|\.{1,2}/|~$|\.{1,2}$")


def is_machine_path(text: str) -> bool:
    """Whether a text is a path that depends on the machine: from the root, the home folder, a drive or a parent folder.

    Texts that begin with `./` or `file:` count too. A path below the working folder, such as data/questions.csv, does
    not count, because it is the same on each machine.
    """
    text = text.strip()
    if text.startswith("/"):  # not "/no_think " at the beginning of a prompt
        return "/" in text[1:] or not re.search(r"\s", text)
    return bool(_WINDOWS.match(text) or _POSIX.match(text)) or ".." in re.split(r"[/\\]", text)


def last_name(path: str) -> str:
    """Returns the name of a path's file or folder; "a local folder" for a path without a name, such as / or `..`."""
    text = path.strip()
    windows = _WINDOWS.match(text) or ("\\" in text and "/" not in text)
    place: PurePath = PureWindowsPath(text) if windows else PurePosixPath(text.removeprefix("file:"))
    return _UNNAMED if place.name in ("", "..", "~") else place.name


def without_folders(settings: Mapping[str, object]) -> dict[str, object]:
    """Returns nested settings in which each machine path is replaced by its last part."""
    return {name: shown_value(value) for name, value in settings.items()}


def shown_value(value: object) -> object:
    """Returns one value as `without_folders` shows it."""
    if isinstance(value, Mapping):
        return without_folders(value)
    if isinstance(value, list | tuple):
        return [shown_value(inner) for inner in value]
    return last_name(value) if isinstance(value, str) and is_machine_path(value) else value
