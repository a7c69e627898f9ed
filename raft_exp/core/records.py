"""The records that stages exchange, and functions that read and write them as JSON lines."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import CoreConfig, SchemaValidator, ValidationError, from_json

from raft_exp.core.errors import DataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Messages = list[dict[str, str]]  # a chat: {role, content} of each message


_WHEN_SET = "written when set"  # marks a field that was added later: it is written only where it is not empty


@dataclass(frozen=True)
class Passage:
    """A piece of a document that can stand in a prompt. `"".join(sentences) == text`."""

    id: str
    document_id: str
    title: str
    text: str
    place: str  # place in the document: "page 3", "section METHODS", ...
    sentences: list[str]
    source: str  # file or data set


@dataclass(frozen=True)
class Question:
    """A question with its gold passages. In a corpus with the answers yes, no and maybe, `answers[0]` is the label."""

    id: str
    question: str
    answers: list[str]
    gold: list[str]  # ids of the passages that hold the answer
    split: str  # train | validation | test
    given: list[str] = field(default_factory=list)  # ids of the distractors published with the question
    evidence: list[tuple[str, int]] = field(default_factory=list)  # (passage id, sentence index), where published
    explanation: str = ""  # the data set's long answer, where it has one
    slices: dict[str, str] = field(default_factory=dict)  # e.g. {"type": "bridge"}: groups to report by
    published: list[str] | None = None  # ids of the context published with the question, in its order
    gold_missing: int = 0  # gold passages named by the data set without their text; they are not in `gold`
    # ids of other passages with the answer, where a document has several: neither gold nor distractors
    also_answering: list[str] = field(default_factory=list, metadata={_WHEN_SET: True})


@dataclass(frozen=True)
class Target:
    """A teacher's target for a question: the answer, and the reasoning before it if there is any."""

    id: str
    answer: str
    reason: str = ""  # may contain ##begin_quote## ... ##end_quote##


@dataclass(frozen=True)
class ContextPassage:
    """A passage in the context of a row; its text may be cut to fit the prompt."""

    id: str
    document_id: str
    title: str
    text: str
    gold: bool  # False also for a gold passage whose evidence was cut off
    place: str = ""


@dataclass(frozen=True)
class Example:
    """A row of `dataset/*.jsonl`: a question with its context and, for training, its target."""

    id: str
    question: str
    answers: list[str]
    context: list[ContextPassage]
    has_gold: bool  # the prompt shows all gold passages of the question with their evidence
    target: str  # "" in test rows
    target_grounded: bool  # the prompt shows the evidence from which the target follows
    messages: list[dict[str, str]]  # the chat; in training rows, its last message is the target
    split: str
    slices: dict[str, str] = field(default_factory=dict)
    planted: str = field(default="", metadata={_WHEN_SET: True})  # the false answer that a false passage gives


@dataclass(frozen=True)
class Answer:
    """The unparsed reply of an engine to one request."""

    id: str
    raw: str
    truncated: bool  # ended by max_new_tokens, not by the end token
    prompt_tokens: int
    new_tokens: int
    filtered: bool = False  # withheld by a server's content filter; `raw` is empty
    log_probability: float | None = None  # mean over the tokens of the reply; None: not requested, or not known


R = TypeVar("R")
T = TypeVar("T")


def parse(record: type[R], line: str | bytes) -> R:
    """Parses a line of JSON as a record; unknown fields are ignored.

    Raises ValueError for invalid JSON, a missing field or a value of a wrong type.
    """
    try:
        parsed: R = _parser(record)(line, strict=True)  # type: ignore[arg-type]  # mypy: a class may have no hash
        return parsed
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "json_invalid":
            raise ValueError(_first_error(error)) from None
    return _parse_surrogates(record, line.decode() if isinstance(line, bytes) else line)


def _parse_surrogates(record: type[R], line: str) -> R:
    """Parses a line with lone surrogates. pydantic rejects these, so a copy with `?` in their place is validated."""
    row = json.loads(line)
    try:
        _parser(record)(json.dumps(row, ensure_ascii=False).encode(errors="replace"), strict=True)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ValueError(_first_error(error)) from None
    if record is Example:
        row["context"] = [_from_dict(ContextPassage, passage) for passage in row["context"]]
    if record is Question:
        row["evidence"] = [(passage, index) for passage, index in row.get("evidence", [])]
    return _from_dict(record, row)


def _first_error(error: ValidationError) -> str:
    wrong = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, wrong['loc'])) or 'the row'}: {wrong['msg']}"


@cache
def _parser(record: type[Any]) -> Callable[..., Any]:
    """Returns a function that parses JSON directly into records: twice as fast as `json` and the constructor."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(record).core_schema
    return SchemaValidator(schema, CoreConfig(cache_strings="keys")).validate_json  # text values seldom repeat


def _from_dict(record: type[R], row: dict[str, object]) -> R:
    names = {field.name for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    return record(**{name: value for name, value in row.items() if name in names})


_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def dumps(row: object) -> str:
    """Returns one line of JSON, without the newline. The same record or value gives the same bytes on every machine."""
    value = _as_dict(row) if dataclasses.is_dataclass(row) and not isinstance(row, type) else row
    # UTF-8 cannot encode lone surrogates: a line with any is written in ASCII escapes.
    text = _encode(value)
    return text if text.isprintable() or encodable(text) else json.dumps(value, separators=(", ", ": "))


def _as_dict(record: "DataclassInstance") -> dict[str, object]:
    values = {name: _plain(getattr(record, name)) for name in _names(type(record))}
    for name in _written_when_set(type(record)):
        if not values[name]:
            del values[name]
    return values


def _plain(value: object) -> object:
    """Returns a value with its dataclasses as dicts, like `dataclasses.asdict`, without copies of texts and numbers."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(record: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record))


@cache
def _written_when_set(record: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(record) if _WHEN_SET in field.metadata]


def encodable(text: str) -> bool:
    """Whether UTF-8 can encode a text; False for a text with lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def loads(line: str | bytes) -> Any:
    """Parses JSON; strings may contain lone surrogates. Raises ValueError for invalid JSON."""
    try:
        return from_json(line, cache_strings="keys")  # twice as fast as json's own
    except ValueError:  # from_json refuses lone surrogates, which `dumps` writes as escapes
        return json.loads(line.decode() if isinstance(line, bytes) else line)


def write_jsonl(path: Path, rows: Iterable[object]) -> int:
    """Writes rows (records or dicts), one per line, and returns their number. Syncs the file to disk."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(dumps(row) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def read_jsonl(path: Path, record: type[R]) -> Iterator[R]:
    """Yields the records of a JSON-lines file in UTF-8; empty lines are skipped.

    Raises DataError, with file and line, for a line that is not a record.
    """
    return _read(path, lambda line: parse(record, line))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a JSON-lines file in UTF-8 as dicts (a row is not checked to be one); empty lines are skipped.

    Raises DataError, with file and line, for a line that is not JSON.
    """
    return _read(path, loads)


def _read(path: Path, parsed: Callable[[str], T]) -> Iterator[T]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield parsed(line.decode("utf-8"))
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error.msg}); correct or remove the line") from error
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: not UTF-8; correct or remove the line") from error
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}; correct or remove the line") from error


def read_ids(path: Path) -> Iterator[str]:
    """Yields the ids of the rows of a file that `write_jsonl` wrote.

    Of a row with `id` as its first key, only this value is parsed. Raises JSONDecodeError for a line that is not JSON,
    also for an empty one.
    """
    first, decoder = '{"id": ', json.JSONDecoder()
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield decoder.raw_decode(line, len(first))[0] if line.startswith(first) else json.loads(line)["id"]


def append_complete_lines(path: Path) -> int:
    """Removes the incomplete last line that a killed run may leave, so that lines can be appended to the file.

    Returns the number of complete lines; 0 for a missing file.
    """
    if not path.exists():
        return 0
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return data.count(b"\n")
