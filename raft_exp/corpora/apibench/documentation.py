"""The documentation of APIBench's hubs: each line becomes a passage, and each field a sentence.

The fields are texts, lists, objects or null, and change their type from line to line. `domain` and `api_call` come
first, so that a shortened passage keeps them; the code example comes last.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import Passage
from raft_exp.corpora.apibench.sources import Sources
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.json_records import Row

_FIRST = ("domain", "api_call", "functionality", "description", "api_name", "framework", "api_arguments", "performance")
_LAST = ("python_environment_requirements", "example_code")
_CALL, _DOMAIN = "api_call: ", "domain: "
_NOTHING = frozenset({"", "n/a", "none", "null"})


@dataclass(frozen=True)
class Document:
    """The documentation of an API: its line as published, and its passage."""

    hub: str
    row: Row
    passage: Passage

    @property
    def call(self) -> str:
        """The call of the API, on one line."""
        return one_line(self.row.get("api_call"))


@dataclass(frozen=True)
class Api:
    """The values of an API's documentation that the metrics read."""

    hub: str
    domain: str
    call: str


def documents(source: Sources, counts: Counter[str]) -> Iterator[Document]:
    """Yields the documentation of a hub in the order of the file, and adds the numbers of documents to `counts`."""
    for number, (_, row) in enumerate(json_records.placed(source.documentation), start=1):
        counts["api_documents"] += 1
        counts["odd_documents_without_call"] += not one_line(row.get("api_call"))
        yield Document(source.hub, row, _passage(source.hub, source.documentation, number, row))


def api_of(passage: Passage) -> Api:
    """Reads hub, domain and call of an API from its passage; "" for a field that the passage lacks."""
    return Api(passage.id.partition(":")[0], _after(passage, _DOMAIN), _after(passage, _CALL))


def call_sentence(passage: Passage) -> int:
    """Returns the number of the sentence with the call; 0 for documentation without a call."""
    return next((n for n, sentence in enumerate(passage.sentences) if sentence.startswith(_CALL)), 0)


def one_line(value: object) -> str:
    """Returns a value as a text without line breaks; "" for null, for an empty value and for a text such as "n/a"."""
    return " ".join(_text(value).split())


def _after(passage: Passage, label: str) -> str:
    found = (sentence for sentence in passage.sentences if sentence.startswith(label))
    return next(found, "").removeprefix(label).strip()


def _passage(hub: str, file: Path, number: int, row: Row) -> Passage:
    names = [*_FIRST, *(name for name in row if name not in (*_FIRST, *_LAST)), *_LAST]
    fields = [(name, _text(row.get(name), "\n" if name == "example_code" else ", ")) for name in names]
    kept = [f"{name}: {one_line(text) if name in ('domain', 'api_call') else text}" for name, text in fields if text]
    sentences = [f"{field}\n" for field in kept[:-1]] + kept[-1:] or ["(no documentation)"]
    name = f"{hub}:{number}"
    return Passage(name, name, one_line(row.get("api_name")), "".join(sentences), "", sentences, file.name)


def _text(value: object, between: str = ", ") -> str:
    """Returns a value of any JSON type as text, "" for an empty value. `between`: the separator of a list's texts."""
    if isinstance(value, str):
        return "" if value.strip().casefold() in _NOTHING else value.strip()
    if isinstance(value, list):
        return between.join(
            filter(None, (item if between == "\n" and isinstance(item, str) else _text(item) for item in value))
        )
    if isinstance(value, dict):
        pairs = ((str(name), _text(item)) for name, item in value.items())
        return "; ".join(f"{name}: {text}" for name, text in pairs if text)
    return "" if value is None else str(value)
