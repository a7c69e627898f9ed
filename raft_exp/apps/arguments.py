"""Reads the command lines of all commands except the study: positional words, and settings as name=value."""

import contextlib
import difflib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import ValidationError

from raft_exp import __version__
from raft_exp.core import screen
from raft_exp.core.bounds import remedy
from raft_exp.core.errors import ConfigError, RaftError, suggest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

T = TypeVar("T")

_SETTING = re.compile(r"(?P<name>[A-Za-z][\w-]*)=(?P<value>.*)", re.DOTALL)
_FLAG = re.compile(r"--(?P<name>[A-Za-z][\w-]*)(=(?P<value>.*))?", re.DOTALL)  # the spelling of older versions
_PLACEHOLDERS: dict[object, str] = {bool: "true|false", int: "NUMBER", float: "NUMBER"}
_COLUMN = 31  # largest width of the left column of the help


@dataclass(frozen=True)
class Command(Generic[T]):
    """A command line: positional words and settings, in any order."""

    form: str  # how the command is written: python -m raft_exp.ask RUN ...
    about: str  # what the command does
    words: Mapping[str, str]  # each positional word, and what it means; the first one is required (`needs_word`)
    settings: type[T]  # a config dataclass; the help shows the title and description of each field
    most: int | None = 1  # largest number of positional words; None: no limit
    # True: the words after the first are one text. A text of several words needs quotes if it contains name=value
    free_text: bool = False
    needs_word: bool = True  # False: no positional word is required
    of_study: bool = False  # True: an unknown name=value is a positional word, because it sets a study's setting

    def read(self, arguments: Sequence[str] | None = None) -> tuple[list[str], T]:
        """Returns the positional words and the settings in `arguments` (default: sys.argv[1:]).

        For --help, -h or --version, prints the help or the version and exits with status 0. Raises ConfigError for
        invalid arguments.
        """
        line = list(sys.argv[1:] if arguments is None else arguments)
        screen.check_arguments(line)
        if "--version" in line:
            print(f"raft_exp {__version__}")
            sys.exit(0)
        if {"-h", "--help"} & set(line):
            print(self.help())
            sys.exit(0)
        self._refuse_flags(line)
        chosen = [word for word in line if self._is_setting(word)]
        words = [word for word in line if word not in chosen]
        if not words and self.needs_word:
            raise self.missing(next(iter(self.words)))
        if self.free_text and len(words) > 2 and not any(map(_SETTING.fullmatch, words)):
            words = [words[0], " ".join(words[1:])]  # a question without quotation marks
        if self.most is not None and len(words) > self.most:
            if names := [match["name"] for word in words if (match := _SETTING.fullmatch(word))]:
                raise ConfigError(f"{names[0]}: no such setting; {suggest(names[0], _fields(self.settings))}")
            raise ConfigError(f"got too many words: {shlex.join(words)}; write {self.form}")
        return words, settings(self.settings, chosen)

    def missing(self, word: str) -> ConfigError:
        """Returns the error for the missing positional word `word`."""
        return ConfigError(f"{word} is missing; write {self.form}")

    def help(self) -> str:
        """Returns the help text: the command, its positional words, and all settings with their defaults."""
        names = _fields(self.settings)
        rows = {f"{name}={_placeholder(names[name])}": _explanation(names[name]) for name in names}
        rule = "Settings can be written before, between or after the other words."
        if self.free_text:
            rule += (
                "\nA word name=value is a setting if its name is a setting, or is spelt like one. All other words are "
                "the question."
                "\nA question of several words with name=value among them needs quotation marks."
                "\nIf a question looks like a setting, send it to the standard input."
            )
        if self.of_study:
            rule += "\nEvery other name=value is a setting of the study."
        return "\n".join([self.form, "", self.about, "", *_table(self.words), "", *_table(rows), "", rule])

    def _is_setting(self, word: str) -> bool:
        match = _SETTING.fullmatch(word)
        if not match or (match["name"] not in _fields(self.settings) and Path(word).exists()):
            return False
        return not (self.free_text or self.of_study) or bool(self._similar(match["name"]))

    def _similar(self, name: str) -> list[str]:
        nearness = 0.8 if self.of_study else 0.6  # a study's setting (preview) may resemble one of the command (device)
        return difflib.get_close_matches(name.lower().replace("-", "_"), _fields(self.settings), n=1, cutoff=nearness)

    def _refuse_flags(self, line: Sequence[str]) -> None:
        """Raises ConfigError for settings in the old form `--name value`. The message shows the form name=value."""
        old: list[str] = []
        new: list[str] = []
        words = iter(line)
        for word in words:
            if not (flag := _FLAG.fullmatch(word)):
                continue
            name, value = self._named_by(flag["name"], word), flag["value"]
            old.append(word)
            if value is None and _types(_fields(self.settings)[name].annotation) == [bool]:
                value = "true"
            elif value is None and (value := next(words, None)) is not None:
                old.append(value)
            new.append(f"{name}={'VALUE' if value is None else value}")
        if old:
            raise ConfigError(f"{shlex.join(old)}: settings are now written as name=value: {shlex.join(new)}")

    def _named_by(self, flag: str, word: str) -> str:
        """Returns the setting with the name of a flag, or the only setting whose name begins with this name.

        Raises ConfigError, which shows the flag as `word`, if there is no such setting, or several.
        """
        known, name = _fields(self.settings), flag.replace("-", "_")
        matches = [setting for setting in known if setting.startswith(name)]
        if name in known or len(matches) == 1:
            return name if name in known else matches[0]
        raise ConfigError(f"{word}: no such setting, and settings are written name=value; {suggest(name, known)}")


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Inside the `with` block, a RaftError is printed as one line on stderr, and ends the process with its `status`.

    Ctrl-C prints `stopped`, and the process exits with status 1. Characters that the terminal cannot show are replaced.
    """
    screen.take_any_text()
    try:
        yield
    except RaftError as error:
        print(f"{type(error).__name__}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit("\nstopped")


def needs_packages(extra: str, *modules: str) -> None:
    """Raises ConfigError if one of the packages `modules` is missing. The message names the extra to install."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(f"this command needs the packages {', '.join(missing)}; run pip install 'raft_exp[{extra}]'")


def settings(kind: type[T], arguments: Sequence[str], **fixed: object) -> T:
    """Builds the config dataclass `kind` from `name=value` arguments and the additional values `fixed`.

    Raises ConfigError with the field, its value and the valid values.
    """
    known = _fields(kind)
    values: dict[str, object] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ConfigError(f"got {argument!r}; settings are written name=value; known: {', '.join(known)}")
        if name not in known:
            raise ConfigError(f"{name}: no such setting; {suggest(name, known)}")
        if name in values:
            raise ConfigError(f"{name}: got two values; give one {name}=...")
        if not value:
            raise ConfigError(f"{name}: has no value; set {name}=..., or remove {name}=")
        values[name] = _value(known[name].annotation, value)
    try:
        return kind(**fixed, **values)
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "value_error":
            raise ConfigError(str(problem["ctx"]["error"])) from None
        name = str(problem["loc"][0])
        if problem["type"] == "missing":
            raise ConfigError(f"{name}: has no value; set {name}=...") from None
        valid = problem["msg"].replace("Input should be ", "").replace("'", '"')
        valid = "true or false" if problem["type"] == "bool_type" else valid
        raise ConfigError(f"{name}: got {problem['input']!r}; must be {valid}{remedy(name, problem)}") from None


def _fields(kind: type) -> "dict[str, FieldInfo]":
    """Returns pydantic's FieldInfo of each field of a config dataclass, by name."""
    fields: dict[str, FieldInfo] = kind.__pydantic_fields__  # type: ignore[attr-defined]
    return fields


def _types(annotation: object) -> list[object]:
    """Returns the types that a field accepts, without None and constraints. A Literal counts as one type."""
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _types(part)]
    return [] if annotation is NoneType else [annotation]


def _value(annotation: object, text: str) -> object:
    """Parses a value as YAML: 3 and 1e-3 are numbers, null is None. Text that is not YAML is returned unchanged.

    Values of text fields and choices are not parsed, except null for a field that may be None.
    """
    if all(kind is str or get_origin(kind) is Literal for kind in _types(annotation)):
        return None if text == "null" and NoneType in get_args(annotation) else text
    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)  # YAML 1.1 reads 1e-3 as text
    return value


def _placeholder(field: "FieldInfo") -> str:
    """Returns the placeholder of a value in the help: the field's title, or the values of its type."""
    (kind,) = _types(field.annotation)
    return field.title or ("|".join(get_args(kind)) if get_origin(kind) is Literal else _PLACEHOLDERS.get(kind, "TEXT"))


def _explanation(field: "FieldInfo") -> str:
    if field.is_required():
        return f"{field.description} (required)"
    if field.default is None:  # the description names the default
        return str(field.description)
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"{field.description} (default: {default})"


def _table(rows: Mapping[str, str]) -> list[str]:
    """Formats names and texts as two columns. A name that is too wide for its column has a separate line."""
    lines = []
    for name, text in rows.items():
        if len(name) > _COLUMN:
            lines.append(f"  {name}")
            name = ""
        lines.append(f"  {name:<{_COLUMN}} {text}")
    return lines
