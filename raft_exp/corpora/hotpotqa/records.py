"""HotpotQA records in both published layouts (Yang et al. 2018, arXiv 1809.09600).

The project's own JSON files are arrays of {_id, question, answer, context: [[title, [sentence, ...]], ...],
supporting_facts: [[title, sentence number], ...], type, level}; the hub's columns are id, question, answer,
context{title: [...], sentences: [[...], ...]}, supporting_facts{title: [...], sent_id: [...]}, type, level.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.fields import Fields

Fact = tuple[str, int]  # title (or passage id) and sentence number, counted from 0


@dataclass(frozen=True)
class Paragraph:
    """One entry of `context`. Sentences after the first keep their leading space."""

    title: str
    sentences: list[str]

    @cached_property
    def text(self) -> str:
        """The whole paragraph."""
        return "".join(self.sentences)

    @cached_property
    def id(self) -> str:
        """Hangs on the content alone, so that records that share a paragraph share a passage."""
        return f"{self.title}:{sha256(json.dumps(self.sentences).encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """One question with its paragraphs that have text. `answer` and `facts` may be missing, as in the hidden test."""

    id: str
    question: str
    answer: str | None
    facts: list[Fact]
    paragraphs: list[Paragraph]
    empty_paragraphs: int
    type: str
    level: str
    file: str

    @property
    def gold(self) -> list[Paragraph]:
        """The paragraphs of the supporting facts, as far as they are there."""
        return [self._by_title[title] for title in self._gold_titles if title in self._by_title]

    @property
    def gold_missing(self) -> int:
        """How many paragraphs of the supporting facts are not there (the full-wiki setting retrieves paragraphs)."""
        return len(self._gold_titles) - len(self.gold)

    @property
    def evidence(self) -> list[Fact]:
        """The supporting facts by passage id; those of a paragraph that is not there keep its title."""
        titles = self._by_title
        return [(titles[title].id if title in titles else title, number) for title, number in self.facts]

    @property
    def unresolved(self) -> int:
        """How many facts name a sentence that a paragraph does not have, or an empty one."""
        return sum(title in self._by_title and not self._sentence(title, number) for title, number in self.facts)

    @property
    def learnable(self) -> bool:
        """Whether there is an answer with all its evidence."""
        return bool(self.answer and self.gold) and not self.gold_missing and not self.unresolved

    @cached_property
    def _by_title(self) -> dict[str, Paragraph]:
        return {paragraph.title: paragraph for paragraph in reversed(self.paragraphs)}

    @property
    def _gold_titles(self) -> list[str]:
        return list(dict.fromkeys(title for title, _ in self.facts))

    def _sentence(self, title: str, number: int) -> str:
        sentences = self._by_title[title].sentences
        return sentences[number].strip() if 0 <= number < len(sentences) else ""


def records(files: Iterable[Path]) -> Iterator[Record]:
    """The records of files of either layout. DataError names file, record, field and remedy."""
    for path in files:
        for place, row in json_records.placed(path):
            if not (row.keys() & {"_id", "id"} and "context" in row):
                raise DataError(
                    f"{path}: not a HotpotQA file: {place} has the keys {sorted(row)[:6]}; corpus.path takes "
                    "hotpot_*.json or rows of id, question, answer, supporting_facts, context"
                )
            yield _record(Fields(f"{path}, {place}", row), "_id" if "_id" in row else "id", path.name)


def _record(fields: Fields, key: str, file: str) -> Record:
    every = [_paragraph(fields, *pair) for pair in _pairs(fields, "context", "title", "sentences")]
    kept = [paragraph for paragraph in every if paragraph.text.strip()]
    facts = (_fact(fields, *pair) for pair in _pairs(fields, "supporting_facts", "title", "sent_id"))
    return Record(
        id=fields.needed(key),
        question=fields.needed("question"),
        answer=fields.text("answer") or None,
        facts=list(dict.fromkeys(facts)),
        paragraphs=kept,
        empty_paragraphs=len(every) - len(kept),
        type=fields.text("type") or "",
        level=fields.text("level") or "",
        file=file,
    )


def _pairs(fields: Fields, name: str, first: str, second: str) -> list[tuple[Any, Any]]:
    """The entries of a field in either layout: a list of pairs, or two lists of one length."""
    value = fields.get(name, list, dict)
    if isinstance(value, dict):
        one, other = value.get(first), value.get(second)
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            raise fields.error(name, f"has no {first} and {second} of one length", "correct or remove the record")
        return list(zip(one, other, strict=True))
    for pair in value or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise fields.error(name, f"holds {pair!r:.60}", f"give pairs of {first} and {second}")
    return [tuple(pair) for pair in value or []]


def _paragraph(fields: Fields, title: Any, sentences: Any) -> Paragraph:
    whole = isinstance(sentences, list) and all(isinstance(sentence, str) for sentence in sentences)
    if not isinstance(title, str) or not whole:
        raise fields.error("context", f"holds {[title, sentences]!r:.60}", "give a title and a list of sentences")
    return Paragraph(title, sentences)


def _fact(fields: Fields, title: Any, number: Any) -> Fact:
    if not isinstance(title, str) or type(number) is not int:
        raise fields.error("supporting_facts", f"holds {[title, number]!r:.60}", "give a title and a sentence number")
    return title, number
