"""Keys and passwords come from environment variables, by name. What looks like one is refused in settings and files.

A text is taken for a secret where it holds

- the form of a known kind of key (OpenAI, Anthropic, Hugging Face, GitHub, GitLab, AWS, Google, Slack, W&B, JSON web
  tokens, private keys), or a header `Bearer ...`,
- the value of an environment variable whose name says that it holds one (..._KEY, ..._TOKEN, ..._PASSWORD, ...), or
- as a setting: a value under such a name, or in a URL a password, a query or a part of the path that looks random.

No message repeats the text itself.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from raft_exp.core.errors import ConfigError, DataError

_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|A(?:KIA|SIA)[0-9A-Z]{16}(?![0-9A-Z])"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|gsk_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}|r8_[A-Za-z0-9]{20,}|wandb_v1_[A-Za-z0-9_]{20,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|Bearer [A-Za-z0-9._~+/-]{16,}"
    r")"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)
_NAMES = re.compile(
    r"(?:^|_)(?:api_?key|access_?key|secret(?:_?key)?|private_?key|subscription_?key|key|token|auth_?token|access_?token"
    r"|password|passwd|passphrase|authorization|credentials?|cookie)$"
)
_VARIABLES = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|APIKEY)$")
_SHORTEST = 12  # letters of a variable's value: shorter ones may be words
_RANDOM = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[A-Za-z0-9_]{24,}", re.ASCII)
_LARGEST = 20_000_000  # bytes of a file that is searched: a larger one holds weights or data


def check_settings(values: Mapping[str, object]) -> None:
    """Raises ConfigError for the first setting, at any depth, whose value looks like a secret."""
    for place, why in _in_settings(values, ""):
        raise ConfigError(
            f"{place}: {why} (not shown here); leave it out of the settings, which are written to config.yaml and "
            "reports, and export it as an environment variable that a setting names (api_key_env)"
        )


def check_arguments(words: Iterable[str]) -> None:
    """Raises ConfigError for a word of the command line that holds a secret, before any file holds the command."""
    for word in words:
        name, _, value = word.lstrip("+~").partition("=")
        if why := _in_text(value or name):
            shown = name if value and not _in_text(name) else "a word of the command"
            raise ConfigError(
                f"{shown}: {why} (not shown here); export it as an environment variable, and give the variable's name "
                "(api_key_env)"
            )


def check_files(folder: Path, purpose: str) -> None:
    """Raises DataError where a text file under `folder` holds a secret. `purpose` completes "... is not ..."."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size <= _LARGEST):
        content = path.read_bytes()
        text = "" if b"\0" in content[:4096] else content.decode("utf-8", "replace")
        if why := _in_text(text):
            line = next((number for number, part in enumerate(text.splitlines(), 1) if _in_text(part)), 1)
            raise DataError(
                f"{path.name}, line {line}: {why} (not shown here), so the folder is not {purpose}; take it out of the "
                "settings of the run, and run the study again"
            )


def _in_settings(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            inner = f"{place}.{name}" if place else str(name)
            if _is_secret_name(str(name)) and isinstance(part, str) and part and not part.isspace():
                yield inner, "holds a key or a password by its name"
            yield from _in_settings(part, inner)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _in_settings(part, f"{place}[{number}]")
    elif isinstance(value, str) and (why := _in_text(value) or _in_url(value, place)):
        yield place, why


def _is_secret_name(name: str) -> bool:
    return bool(_NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).lower()))


def _in_text(text: str) -> str:
    """Why a text holds a secret; "" where it holds none."""
    if _FORMS.search(text):
        return "holds what looks like a key"
    for variable, value in _variables():
        if value in text:
            return f"holds the value of the environment variable {variable}"
    return ""


def _variables() -> list[tuple[str, str]]:
    """Environment variables that hold a secret by their names, with their values; no short values and no paths."""
    named = ((name, value.strip()) for name, value in os.environ.items() if _VARIABLES.search(name.upper()))
    return [(name, value) for name, value in named if len(value) >= _SHORTEST and value[0] not in "/~."]


def _in_url(text: str, place: str) -> str:
    """Why a URL holds a secret; "" for another text. Only a server's address (base_url) may have no random part."""
    if not re.match(r"https?://", text):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.password:
        return "is a URL with a password"
    if place.rpartition(".")[2] != "base_url":
        return ""
    if parts.query or parts.fragment:
        return "is a URL with a query or a fragment"
    if any(_RANDOM.fullmatch(part) for part in parts.path.split("/")):
        return "is a URL with a part that looks like a key"
    return ""
