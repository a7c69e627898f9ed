"""Refuses secrets (API keys, passwords) in settings, commands and files. Secrets belong in environment variables.

A text counts as a secret if it contains

- a key of a known form (OpenAI, Anthropic, Hugging Face, GitHub, GitLab, AWS, Google, Slack, W&B, JSON web tokens,
  private keys) or a header `Bearer ...`, or
- the value of an environment variable with the name of a secret (..._KEY, ..._TOKEN, ..._PASSWORD, ...).

A setting also counts as a secret if its own name is the name of a secret, if it is a URL with a password, or if it is a
`base_url` with a query, a fragment or a random part in its path. No message contains the secret.
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
_SHORTEST = 12  # least number of characters of a variable's value; a shorter value may be an ordinary word
_RANDOM = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[A-Za-z0-9_]{24,}", re.ASCII)
_LARGEST = 20_000_000  # largest size in bytes of a file that is searched; larger files contain weights or data


def check_settings(values: Mapping[str, object]) -> None:
    """Raises ConfigError for the first setting, at any depth, that counts as a secret."""
    for place, why in _in_settings(values, ""):
        raise ConfigError(
            f"{place}: {why} (not shown here); settings are written to config.yaml and reports, so put the secret into "
            "an environment variable, and the name of that variable into api_key_env"
        )


def check_arguments(words: Iterable[str]) -> None:
    """Raises ConfigError for a command-line argument with a secret, before the command is written to any file."""
    for word in words:
        name, _, value = word.lstrip("+~").partition("=")
        if why := _in_text(value or name):
            shown = name if value and not _in_text(name) else "a command-line argument"
            raise ConfigError(
                f"{shown}: {why} (not shown here); put the secret into an environment variable, and the name of that "
                "variable into api_key_env"
            )


def is_secret(text: str) -> bool:
    """Whether a text contains a secret, so that it must not be shown."""
    return bool(_in_text(text))


def check_files(folder: Path, purpose: str) -> None:
    """Raises DataError if a text file of at most 20 MB under `folder` contains a secret.

    `purpose` completes the message "the folder is not ...": for example "published".
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size <= _LARGEST):
        content = path.read_bytes()
        text = "" if b"\0" in content[:4096] else content.decode("utf-8", "replace")
        if why := _in_text(text):
            line = next((number for number, part in enumerate(text.splitlines(), 1) if _in_text(part)), 1)
            raise DataError(
                f"{path.name}, line {line}: {why} (not shown here), so the folder is not {purpose}; remove the secret "
                "from the settings of the study and run the study again"
            )


def _in_settings(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            inner = f"{place}.{name}" if place else str(name)
            if _is_secret_name(str(name)) and isinstance(part, str) and part and not part.isspace():
                yield inner, "has the name of a key or password"
            yield from _in_settings(part, inner)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _in_settings(part, f"{place}[{number}]")
    elif isinstance(value, str) and (why := _in_text(value) or _in_url(value, place)):
        yield place, why


def _is_secret_name(name: str) -> bool:
    return bool(_NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).lower()))


def _in_text(text: str) -> str:
    """Returns why a text counts as a secret; "" where it does not."""
    if _FORMS.search(text):
        return "contains text that looks like a key"
    for variable, value in _variables():
        if value in text:
            return f"contains the value of the environment variable {variable}"
    return ""


def _variables() -> list[tuple[str, str]]:
    """Returns (name, value) of the environment variables with the name of a secret; no short values and no paths."""
    named = ((name, value.strip()) for name, value in os.environ.items() if _VARIABLES.search(name.upper()))
    return [(name, value) for name, value in named if len(value) >= _SHORTEST and value[0] not in "/~."]


def _in_url(text: str, place: str) -> str:
    """Returns why a URL counts as a secret; "" for other texts.

    `place`: dotted name of the setting. Query, fragment and path are checked only in a `base_url`, or a list of them.
    """
    if not re.match(r"https?://", text):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.password:
        return "is a URL with a password"
    if place.rpartition(".")[2].partition("[")[0] != "base_url":
        return ""
    if parts.query or parts.fragment:
        return "is a URL with a query or a fragment"
    if any(_RANDOM.fullmatch(part) for part in parts.path.split("/")):
        return "is a URL with a part that looks like a key"
    return ""
