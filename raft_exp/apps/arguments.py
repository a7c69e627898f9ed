"""What the commands beside the study share: settings as key=value, and errors as one line."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError, RaftError
from raft_exp.pipeline.arms import suggest

T = TypeVar("T")


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """What the user can mend is one line and exit status 2, as in a study."""
    try:
        yield
    except RaftError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit("\nstopped")


def positive(text: str) -> int:
    """A number above 0, for argparse."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"got {text!r}; must be a whole number above 0")
    return int(text)


def needs_packages(extra: str, *modules: str) -> None:
    """Raises ConfigError with the remedy where an optional package is missing."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(f"this command needs the packages {', '.join(missing)}; pip install 'raft_exp[{extra}]'")


def settings(kind: type[T], arguments: Sequence[str], **given: Any) -> T:
    """A config dataclass out of `name=value` arguments. Raises ConfigError: field, value, what is allowed."""
    known = getattr(kind, "__dataclass_fields__", {})
    values = dict(given)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ConfigError(f"got {argument!r}; settings are written name=value; known: {', '.join(known)}")
        if name not in known:
            raise ConfigError(f"{name}: no such setting; {suggest(name, known)}")
        values[name] = _value(name, value)
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))  # as in `config.parse`
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "value_error":
            raise ConfigError(str(problem["ctx"]["error"])) from None
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] in ("missing", "missing_argument"):
            raise ConfigError(f"{name}: has no value; set {name}=...") from None
        told = str(problem["msg"]).replace("Input should be ", "").replace("'", '"')
        raise ConfigError(f"{name}: got {problem['input']!r}; must be {told}") from None


def _value(name: str, text: str) -> Any:
    """As in the study's settings: 3 is a number, null is nothing, 1e-3 is a number too."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)  # YAML 1.1 takes 1e-3 for a word
    return value
