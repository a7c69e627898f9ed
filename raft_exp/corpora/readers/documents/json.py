"""Reads JSON and JSON lines: one part per record, one line "name: value" per field; nested names are joined by dots."""

import json
from collections.abc import Iterator

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError


def read(data: bytes) -> Document:
    """Reads the records of an array, of an object of objects or lists, or of lines. Any other value is one record."""
    text, warnings = decode(data)
    parts = [Part(_text(value), "record", str(number)) for number, value in enumerate(_records(text), start=1)]
    return Document("", [part for part in parts if part.text.strip()], warnings)


def _records(text: str) -> Iterator[object]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if "\n" not in text.strip() or error.msg != "Extra data":
            raise UnreadableError("damaged", f"no JSON: {error}") from error
        yield from _lines(text)
        return
    if isinstance(value, dict) and value and all(isinstance(item, dict | list) for item in value.values()):
        yield from ({"": name, **_named(item)} for name, item in value.items())
    else:
        yield from value if isinstance(value, list) else [value]


def _named(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {"": value}


def _lines(text: str) -> Iterator[object]:
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip():
                yield json.loads(line)
        except json.JSONDecodeError as error:
            raise UnreadableError("damaged", f"line {number} is not JSON ({error.msg})") from error


def _text(record: object) -> str:
    """Returns the fields in order, one per line. null and "" are left out; items of a list have the list's name."""
    lines: list[str] = []
    waiting: list[tuple[str, object]] = [("", record)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{name}.{key}" if name and key else name or key, item) for key, item in value.items()]
            waiting.extend(reversed(inner))
        elif isinstance(value, list):
            waiting.extend((name, item) for item in reversed(value))
        elif value is not None and value != "":
            text = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"{name}: {text}" if name else text)
    return "\n".join(lines)
