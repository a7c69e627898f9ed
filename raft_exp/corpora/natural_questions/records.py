"""Reads every published form of Natural Questions as one kind of record: a question with its passages.

- Google's pages (`google.py`).
- lost-in-the-middle's multi-document files: {question, answers, ctxs: [{title, text, isgold}]}. The oracle file has
  only the gold passages.
- DPR's training file: {question, answers, positive_ctxs, hard_negative_ctxs}. Each context is {title, text, score}.
- NQ-open: {question, answer}, without passages.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from raft_exp.core.collection import hash64
from raft_exp.core.errors import DataError
from raft_exp.corpora.natural_questions import google
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.json_records import Row

_ANNOTATED = 1000  # DPR's score of the annotated passage; other positives only contain the answer


@dataclass(frozen=True)
class Piece:
    """A passage of a record. Its text is never empty."""

    title: str
    text: str
    gold: bool

    @cached_property
    def content(self) -> int:
        """A hash of title and text. Records that share a passage share this hash."""
        return content(self.title, self.text)

    @property
    def id(self) -> str:
        """The passage id: the hash of the content in hexadecimal."""
        return f"{self.content:016x}"


def content(title: str, text: str) -> int:
    """Returns a 64-bit hash of a passage's title and text."""
    return hash64("\n".join((title, text)))


@dataclass(frozen=True)
class Record:
    """A question with its passages in the published order."""

    id: str
    question: str
    answers: list[str]
    pieces: list[Piece] | None  # None in NQ-open
    answer_at: int | None = None  # offset of the annotated short answer in the gold text
    lack: str = ""  # why the record is not used, as a name for counts; "" where it is
    kind: str = ""  # of the long answer: paragraph | table_or_list

    @property
    def gold(self) -> list[Piece]:
        """The passages that contain the answer."""
        return [piece for piece in self.pieces or [] if piece.gold]

    @property
    def given(self) -> list[Piece]:
        """The passages that are not gold, without repetitions."""
        gold = {piece.content for piece in self.gold}
        return list({piece.content: piece for piece in self.pieces or [] if piece.content not in gold}.values())

    def with_given(self, most: int) -> "Record":
        """Returns the record with only the first `most` passages that are not gold."""
        contents = {piece.content for piece in [*self.gold, *self.given[:most]]}
        return replace(self, pieces=[piece for piece in self.pieces or [] if piece.content in contents])


def records(files: Iterable[Path], only_paragraphs: bool) -> Iterator[tuple[Path, Record]]:
    """Yields (file, record) for every record. Raises DataError with file, place, field and remedy.

    `only_paragraphs`: tables and lists of pages are neither gold nor distractors.
    """
    seen: Counter[str] = Counter()
    for path in files:
        for place, row in google.rows(path):
            fields = Fields(f"{path}, {place}", row)
            yield path, _page(fields, only_paragraphs) if google.is_page(row) else _other_form(fields, row, seen)


def _page(fields: Fields, only_paragraphs: bool) -> Record:
    page = google.page(fields)
    gold, tokens = page.gold, page.tokens
    spans = [span for span in page.passages if tokens.is_paragraph(span) or not only_paragraphs]
    texts = [(tokens.text(span), span == gold) for span in spans]
    pieces = [Piece(page.title, text, is_gold) for text, is_gold in texts if text]
    if gold is None:
        return Record(page.id, page.question, [], [], lack="null_annotations")
    kind = "paragraph" if tokens.is_paragraph(gold) else "table_or_list"
    lack = "" if page.answers else "without_short_answer"
    lack = lack if any(piece.gold for piece in pieces) else "long_answer_is_no_paragraph"
    return Record(page.id, page.question, page.answers, pieces, page.answer_at, lack, kind)


def _other_form(fields: Fields, row: Row, seen: Counter[str]) -> Record:
    """Parses a record of a form without ids. Its id is a hash of the question, numbered if the question is repeated."""
    if "positive_ctxs" in row:
        pieces: list[Piece] | None = _dpr(fields)
    elif "ctxs" in row:
        pieces = [_piece(context, context.flag("isgold")) for context in _contexts(fields, "ctxs")]
    elif "answer" in row or "answers" in row:
        pieces = None
    else:
        raise DataError(
            f"{fields.where}: not a record of Natural Questions (its keys are {sorted(row)[:6]}); corpus.path takes "
            "Google's pages, biencoder-nq-train.json, nq-open-*.jsonl.gz of lost-in-the-middle, or NQ-open.*.jsonl"
        )
    question = fields.needed("question")
    name = f"{hash64(question):016x}"
    seen[name] += 1
    answers = list(dict.fromkeys(fields.texts("answers") or fields.texts("answer")))
    name = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return Record(name, question, answers, pieces, lack="" if answers else "without_answer")


def _dpr(fields: Fields) -> list[Piece]:
    positive = _contexts(fields, "positive_ctxs")
    annotated = [context for context in positive if context.get("score", int, float) == _ANNOTATED] or positive
    negative = _contexts(fields, "hard_negative_ctxs")
    return [_piece(context, True) for context in annotated] + [_piece(context, False) for context in negative]


def _contexts(fields: Fields, name: str) -> list[Fields]:
    """Returns the entries of a list field that have a text."""
    contexts = fields.get(name, list) or []
    if not all(isinstance(context, dict) for context in contexts):
        raise fields.error(name, f"is {contexts!r:.60}", "give a list of {title, text}")
    placed = [Fields(f"{fields.where}, {name} {number}", context) for number, context in enumerate(contexts, start=1)]
    return [context for context in placed if (context.text("text") or "").strip()]


def _piece(context: Fields, gold: bool) -> Piece:
    return Piece(context.text("title") or "", context.needed("text"), gold)
