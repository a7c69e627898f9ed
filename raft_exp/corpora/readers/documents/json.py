"""JSON and JSON lines: one part a record, "name: value" a line, with names joined by dots where records are nested."""

import json
from collections.abc import Iterator
from typing import Any

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError


def read(data: bytes) -> Document:
    """The records of an array, of an object of objects, or of lines; any other value is one record."""
    text, warnings = decode(data)
    parts = [Part(_text(value), "record", str(number)) for number, value in enumerate(_records(text), start=1)]
    return Document("", [part for part in parts if part.text.strip()], warnings)


def _records(text: str) -> Iterator[Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if "\n" not in text.strip() or error.msg != "Extra data":
            raise UnreadableError("damaged", f"no JSON: {error}") from error
        yield from _lines(text)
        return
    if isinstance(value, dict) and value and all(isinstance(one, dict | list) for one in value.values()):
        yield from ({"": name, **_named(one)} for name, one in value.items())
    else:
        yield from value if isinstance(value, list) else [value]


def _named(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"": value}


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip():
                yield json.loads(line)
        except json.JSONDecodeError as error:
            raise UnreadableError("damaged", f"line {number} is no JSON ({error.msg})") from error


def _text(record: Any) -> str:
    """Values in their order; null is left out, and what stands in a list has the list's name."""
    lines: list[str] = []
    waiting: list[tuple[str, Any]] = [("", record)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{name}.{key}" if name and key else name or key, one) for key, one in value.items()]
            waiting.extend(reversed(inner))
        elif isinstance(value, list):
            waiting.extend((name, one) for one in reversed(value))
        elif value is not None and value != "":
            said = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"{name}: {said}" if name else said)
    return "\n".join(lines)
