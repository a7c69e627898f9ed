"""The records that pass between stages, and the JSON-lines files that hold them."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import CoreConfig, SchemaValidator, ValidationError, from_json

from raft_exp.core.errors import DataError

Messages = list[dict[str, str]]  # a chat: {role, content} one after another


@dataclass(frozen=True)
class Passage:
    """A piece of a document that can stand in a prompt. `"".join(sentences) == text`."""

    id: str
    document_id: str
    title: str
    text: str
    place: str  # where in the document: "page 3", "section METHODS", ...
    sentences: list[str]
    source: str  # the file or data set it was read from


@dataclass(frozen=True)
class Question:
    """A question with its gold passages. For closed-class corpora `answers[0]` is the label."""

    id: str
    question: str
    answers: list[str]
    gold: list[str]  # ids of the passages that hold the answer
    split: str  # train | validation | test
    given: list[str] = field(default_factory=list)  # ids of the distractors published with the question
    evidence: list[tuple[str, int]] = field(default_factory=list)  # (passage id, sentence index), where published
    explanation: str = ""  # the data set's own long answer, where there is one
    slices: dict[str, str] = field(default_factory=dict)  # e.g. {"type": "bridge"}: groups to report by
    published: list[str] | None = None  # ids of the context published with the question, in its order
    gold_missing: int = 0  # gold passages that the data set names and does not bring: they stand in no `gold`


@dataclass(frozen=True)
class Target:
    """What a teacher wrote for a question: the final answer and, where there is one, the reasoning that leads to it."""

    id: str
    answer: str
    reason: str = ""  # may hold ##begin_quote## ... ##end_quote##


@dataclass(frozen=True)
class ContextPassage:
    """A passage as it stands in a row's context (cut to the budget if it had to be)."""

    id: str
    document_id: str
    title: str
    text: str
    gold: bool
    place: str = ""


@dataclass(frozen=True)
class Example:
    """One row of `dataset/*.jsonl`: a question in its context, with the target to learn or to compare with."""

    id: str
    question: str
    answers: list[str]
    context: list[ContextPassage]
    has_gold: bool
    target: str
    target_grounded: bool
    messages: list[dict[str, str]]
    split: str
    slices: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One reply of an engine, as it came."""

    id: str
    raw: str
    truncated: bool  # stopped by max_new_tokens, not by the end token
    prompt_tokens: int
    new_tokens: int
    filtered: bool = False  # withheld by a server's content filter: empty, and not the model's doing


R = TypeVar("R")
T = TypeVar("T")


def parse(record: type[R], line: str | bytes) -> R:
    """The record that a line of JSON holds; other fields of the line are passed over.

    Raises ValueError for what is not JSON, or not of the record's types.
    """
    try:
        found: R = _parser(record)(line, strict=True)  # type: ignore[arg-type]  # mypy: a class may have no hash
        return found
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "json_invalid":
            raise ValueError(_told(error)) from None
    return _parse_surrogates(record, line.decode() if isinstance(line, bytes) else line)


def _parse_surrogates(record: type[R], line: str) -> R:
    """Lone surrogates, which `dumps` writes as escapes, are no text for pydantic: it checks a copy without them."""
    row = json.loads(line)
    try:
        _parser(record)(json.dumps(row, ensure_ascii=False).encode(errors="replace"), strict=True)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ValueError(_told(error)) from None
    if record is Example:
        row["context"] = [_from_dict(ContextPassage, passage) for passage in row["context"]]
    if record is Question:
        row["evidence"] = [(passage, index) for passage, index in row.get("evidence", [])]
    return _from_dict(record, row)


def _told(error: ValidationError) -> str:
    wrong = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, wrong['loc'])) or 'the row'}: {wrong['msg']}"


@cache
def _parser(record: Any) -> Callable[..., Any]:
    """Builds records from JSON without the step over a dict: half the time of json and a frozen class's own way."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(record).core_schema
    return SchemaValidator(schema, CoreConfig(cache_strings="keys")).validate_json  # texts seldom come twice


def _from_dict(record: type[R], row: dict[str, Any]) -> R:
    names = {field.name for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    return record(**{name: value for name, value in row.items() if name in names})


_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def dumps(row: Any) -> str:
    """One line of JSON with a fixed form: the same record gives the same bytes everywhere."""
    value = dataclasses.asdict(row) if dataclasses.is_dataclass(row) and not isinstance(row, type) else row
    # Lone surrogates cannot be written as UTF-8: keep those rare lines in ASCII escapes.
    text = _encode(value)
    return text if text.isprintable() or encodable(text) else json.dumps(value, separators=(", ", ": "))


def encodable(text: str) -> bool:
    """Whether UTF-8 can carry a text: it holds no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def loads(line: str | bytes) -> Any:
    """What `dumps` wrote. Raises ValueError for what is not JSON."""
    try:
        return from_json(line, cache_strings="keys")  # twice as fast as json's own
    except ValueError:  # it refuses lone surrogates, which `dumps` writes as escapes
        return json.loads(line.decode() if isinstance(line, bytes) else line)


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Writes rows (records or dicts), one a line; returns how many. The file reaches the disk before this returns."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(dumps(row) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def read_jsonl(path: Path, record: type[R]) -> Iterator[R]:
    """Reads the records that `write_jsonl` wrote. Raises DataError naming file and line."""
    return _read(path, lambda line: parse(record, line))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Reads a JSON-lines file as dicts. Raises DataError naming file and line."""
    return _read(path, loads)


def _read(path: Path, parsed: Callable[[str], T]) -> Iterator[T]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield parsed(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error.msg}); mend or remove the line") from error
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}; mend or remove the line") from error


def read_ids(path: Path) -> Iterator[str]:
    """The ids of the rows that `write_jsonl` wrote, without the work of reading the rest of rows that begin with it."""
    first, decoder = '{"id": ', json.JSONDecoder()
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield decoder.raw_decode(line, len(first))[0] if line.startswith(first) else json.loads(line)["id"]


def append_complete_lines(path: Path) -> int:
    """Cuts a half-written last line (a killed run leaves one) and returns how many whole lines stand in the file."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return data.count(b"\n")
