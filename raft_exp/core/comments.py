"""Reads the comments beside settings: in the YAML files under conf/ and beside the fields of dataclasses."""

import inspect
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from raft_exp.core.schema import setting_name

_KEY = re.compile(r"(?P<indent> *)(?P<key>[\w@/+.]+):(?P<rest>.*)")
_COMMENT = re.compile(r"(?:^|\s)#\s?(?P<text>.*)$")
_LITERAL = re.compile(r"[|>][+-]?\s*(#.*)?$")


@dataclass(frozen=True)
class Setting:
    """A key of a YAML file: its value as written in the file, and its comment ("" if there is none)."""

    value: object
    comment: str


@dataclass(frozen=True)
class YamlFile:
    """A file of conf/: the comment at its top, and its settings by dotted key, also those with nested settings."""

    about: str
    settings: dict[str, Setting]


def read_yaml(path: Path) -> YamlFile:
    """Reads the values and comments of a YAML file.

    A comment line continues the comment of the key above it if it begins at column 8 or later, and at most two columns
    to the left of that comment. Other comment lines belong to the next key; those before the first key describe the
    file.
    """
    values = _flat(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    head: list[str] = []
    comments: dict[str, list[str]] = {}
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    last, last_column, block = "", 0, None
    for line in path.read_text(encoding="utf-8").splitlines():
        indent = len(line) - len(line.lstrip())
        if block is not None and (not line.strip() or indent > block):
            continue
        block = None
        if line.lstrip().startswith("#"):
            text = line.lstrip().removeprefix("#").strip()
            if last and indent >= max(last_column - 2, 8):
                comments[last].append(text)
            elif not last and not parents:
                head.append(text)
            else:
                above.append(text)
            continue
        match = _KEY.fullmatch(line)
        if not match:
            continue
        while parents and parents[-1][0] >= indent:
            parents.pop()
        last = ".".join([*(name for _, name in parents), match["key"]])
        parents.append((indent, match["key"]))
        comment = _outside_quotes(match["rest"])
        last_column = line.rfind("# ") if comment else 0
        comments[last] = above + ([comment] if comment else [])
        above = []
        if _LITERAL.search(match["rest"].strip()):
            block = indent
    about = " ".join(line for line in head if line and not line.startswith("@"))
    return YamlFile(about, {key: Setting(value, " ".join(comments.get(key, []))) for key, value in values.items()})


def _outside_quotes(rest: str) -> str:
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", lambda quoted: "x" * len(quoted[0]), rest)
    match = _COMMENT.search(bare)
    return rest[match.start("text") :].strip() if match else ""


def _flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat[f"{prefix}{key}"] = value
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
    return flat


def field_comments(kind: type) -> dict[str, str]:
    """Returns the comment of each setting of a dataclass, inherited settings included; "" without a comment.

    A comment stands beside its field or on the lines above it.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        if base.__module__.startswith("raft_exp"):
            found |= comments_of(base)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return {setting_name(name): found.get(name, "") for name in names}


def comments_of(kind: type) -> dict[str, str]:
    """Returns the comment of each field of a dataclass or TypedDict, inherited fields excluded."""
    source = textwrap.dedent(inspect.getsource(kind))
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()
    found = {}
    for number, line in enumerate(lines, start=1):
        match = re.match(r"    (\w+): ", line)
        if not match:
            continue
        beside = comments.get(number, "")
        above: list[str] = []
        row = number - 1
        while row in comments and lines[row - 1].lstrip().startswith("#"):
            above.insert(0, comments[row])
            row -= 1
        found[match[1]] = beside or " ".join(above)
    return found
