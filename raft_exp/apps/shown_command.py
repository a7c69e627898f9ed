"""Formats a command line for reports: paths are shortened to their last part, and secrets are hidden."""

import re
import shlex
from collections.abc import Iterable, Mapping

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from raft_exp.core import secrets
from raft_exp.core.errors import ConfigError
from raft_exp.reporting.paths import is_machine_path, last_name

_HIDDEN = "(not shown)"
# A path inside a longer text, such as a note. URLs have their slashes after a colon.
_INSIDE = re.compile(r"(?<![\w.:/\\}])(?:[~/]|[A-Za-z]:[/\\])[^\s,;'\"]*[/\\][^\s,;'\"]*")


def shown_command(program: str, words: Iterable[str]) -> str:
    """Returns the command with `.../NAME` in place of each path, and `(not shown)` in place of each secret."""
    return " ".join([program, *(_quoted(_shown(word)) for word in words)])


def _quoted(word: str) -> str:
    """Quotes a word for a shell: in double quotes if the word contains single quotes."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def _shown(word: str) -> str:
    name, sign, value = word.partition("=")
    if _is_secret({"word": name}):
        return _HIDDEN
    if not sign:
        return _shortened(word) if is_machine_path(word) else word
    return f"{name}={_HIDDEN if _is_secret({name: value}) else _shown_setting(word, value)}"


def _is_secret(setting: Mapping[str, str]) -> bool:
    try:
        secrets.check_settings(setting)
    except ConfigError:
        return True
    return False


def _shown_setting(word: str, text: str) -> str:
    """Returns a setting's value with shortened paths. A value without paths is returned unchanged."""
    try:
        override = OverridesParser.create().parse_override(word)
        value: object = text if override.is_sweep_override() else override.value()
    except HydraException:  # a setting of a command that does not use Hydra
        value = text
    shown = _without_paths(value)
    is_path = isinstance(value, str) and ("/" in value or "\\" in value)  # `with_quoted_paths` added quotes to `text`
    return _as_text(shown) if is_path or shown != value else text


def _without_paths(value: object) -> object:
    if isinstance(value, Mapping):
        return {_without_paths(name): _without_paths(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _shortened(value) if is_machine_path(value) else _INSIDE.sub(lambda match: _shortened(match[0]), value)


def without_places(value: object) -> object:
    """Returns nested settings or figures with `.../NAME` in place of each name or text that is a path of this machine.

    A path inside a longer text stays: texts of prompts, questions and replies are not changed.
    """
    if isinstance(value, Mapping):
        return {without_places(name): without_places(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(inner) for inner in value]
    return _shortened(value) if isinstance(value, str) and is_machine_path(value) else value


def shown_setting(word: str) -> str:
    """Returns a setting `NAME=VALUE` with shortened paths, and without secrets."""
    return _shown(word)


def _shortened(path: str) -> str:
    return f"\N{HORIZONTAL ELLIPSIS}/{last_name(path)}"


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_as_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_as_text, value))}]"
    return str(value)
