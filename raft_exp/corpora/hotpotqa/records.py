"""HotpotQA records in both published layouts (Yang et al. 2018, arXiv 1809.09600).

The project's own JSON files are arrays of {_id, question, answer, context: [[title, [sentence, ...]], ...],
supporting_facts: [[title, sentence number], ...], type, level}; the hub's columns are id, question, answer,
context{title: [...], sentences: [[...], ...]}, supporting_facts{title: [...], sent_id: [...]}, type, level. FlashRAG's
layout has these columns in `metadata` (`readers/flashrag.py`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import flashrag, json_records
from raft_exp.corpora.readers.fields import Fields

Fact = tuple[str, int]  # title (or passage id) and sentence number, counted from 0


@dataclass(frozen=True)
class Paragraph:
    """An entry of `context`. Sentences after the first keep their leading space."""

    title: str
    sentences: list[str]

    @cached_property
    def text(self) -> str:
        """The sentences, joined."""
        return "".join(self.sentences)

    @cached_property
    def id(self) -> str:
        """The passage id: title and a hash of the sentences, so that a paragraph has the same id in all records."""
        return f"{self.title}:{sha256(json.dumps(self.sentences).encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """A question with its non-empty paragraphs. In the hidden test set `answer` and `facts` are missing."""

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
        """The paragraphs of the record that the supporting facts name."""
        return [self._by_title[title] for title in self._gold_titles if title in self._by_title]

    @property
    def gold_missing(self) -> int:
        """The number of gold paragraphs that the record lacks, as retrieved (full-wiki) contexts do."""
        return len(self._gold_titles) - len(self.gold)

    @property
    def evidence(self) -> list[Fact]:
        """The supporting facts with passage ids, or with the title if the record lacks the paragraph."""
        titles = self._by_title
        return [(titles[title].id if title in titles else title, number) for title, number in self.facts]

    @property
    def unresolved(self) -> int:
        """The number of facts that name an empty sentence, or a sentence that does not exist."""
        return sum(title in self._by_title and not self._sentence(title, number) for title, number in self.facts)

    @property
    def learnable(self) -> bool:
        """Whether the record has an answer, all gold paragraphs and all supporting sentences."""
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
    """Yields the records of files of either layout. Raises DataError with file, record, field and remedy."""
    for path in files:
        for place, given in json_records.placed(path):
            row = flashrag.named(given)
            if not (row.keys() & {"_id", "id"} and "context" in row):
                raise DataError(
                    f"{path}: not a HotpotQA file: {place} has the keys {sorted(row)[:6]}; corpus.path takes "
                    "hotpot_*.json or rows of id, question, answer, supporting_facts, context"
                )
            yield _record(Fields(f"{path}, {place}", row), "_id" if "_id" in row else "id", path.name)


def _record(fields: Fields, key: str, file: str) -> Record:
    paragraphs = [_paragraph(fields, *pair) for pair in _pairs(fields, "context", "title", "sentences")]
    with_text = [paragraph for paragraph in paragraphs if paragraph.text.strip()]
    facts = (_fact(fields, *pair) for pair in _pairs(fields, "supporting_facts", "title", "sent_id"))
    return Record(
        id=fields.needed(key),
        question=fields.needed("question"),
        answer=fields.text("answer") or None,
        facts=list(dict.fromkeys(facts)),
        paragraphs=with_text,
        empty_paragraphs=len(paragraphs) - len(with_text),
        type=fields.text("type") or "",
        level=fields.text("level") or "",
        file=file,
    )


def _pairs(fields: Fields, name: str, first: str, second: str) -> list[tuple[object, object]]:
    """Returns the entries of a field in either layout: a list of pairs, or two lists of the same length."""
    value = fields.get(name, list, dict)
    if isinstance(value, dict):
        firsts, seconds = value.get(first), value.get(second)
        if not isinstance(firsts, list) or not isinstance(seconds, list) or len(firsts) != len(seconds):
            raise fields.error(name, f"needs {first} and {second} of the same length", "correct or remove the record")
        return list(zip(firsts, seconds, strict=True))
    pairs: list[tuple[object, object]] = []
    for pair in value or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise fields.error(name, f"holds {pair!r:.60}", f"give pairs of {first} and {second}")
        pairs.append((pair[0], pair[1]))
    return pairs


def _paragraph(fields: Fields, title: object, sentences: object) -> Paragraph:
    if not isinstance(title, str) or not isinstance(sentences, list) or not all(isinstance(s, str) for s in sentences):
        raise fields.error("context", f"holds {[title, sentences]!r:.60}", "give a title and a list of sentences")
    return Paragraph(title, sentences)


def _fact(fields: Fields, title: object, number: object) -> Fact:
    if not isinstance(title, str) or type(number) is not int:
        raise fields.error("supporting_facts", f"holds {[title, number]!r:.60}", "give a title and a sentence number")
    return title, number
