"""Reads every published form of Natural Questions as one kind of record: a question with its passages.

- Google's pages (`google.py`).
- lost-in-the-middle's multi-document files: {question, answers, ctxs: [{title, text, isgold}]}. The oracle file has
  only the gold passages.
- DPR's training file: {question, answers, positive_ctxs, hard_negative_ctxs}. Each context is {title, text, score}.
- NQ-open: {question, answer}, without passages.
- FlashRAG's layout (`readers/flashrag.py`), with or without retrieved passages.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora import context_forms
from raft_exp.corpora.context_records import Piece, Record
from raft_exp.corpora.natural_questions import google
from raft_exp.corpora.readers import flashrag
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.json_records import Row


def records(files: Iterable[Path], only_paragraphs: bool) -> Iterator[tuple[Path, Record]]:
    """Yields (file, record) for every record. Raises DataError with file, place, field and remedy.

    `only_paragraphs`: True leaves out tables and lists of pages, as gold and as distractors.
    """
    seen: Counter[str] = Counter()
    for path in files:
        for place, row in google.rows(path):
            if google.is_page(row):
                yield path, _page(Fields(f"{path}, {place}", row), only_paragraphs)
            else:
                yield path, _other_form(f"{path}, {place}", row, seen)


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
    return Record(page.id, page.question, page.answers, pieces, page.answer_at, lack, {"long_answer": kind})


def _other_form(where: str, row: Row, seen: Counter[str]) -> Record:
    """Parses a record of a form without ids, or of FlashRAG's layout."""
    named = flashrag.named(row)
    if not named.keys() & {"positive_ctxs", "ctxs", "ctx", "answer", "answers"}:
        raise DataError(
            f"{where}: not a record of Natural Questions (its keys are {sorted(row)[:6]}); corpus.path takes "
            "Google's pages, biencoder-nq-train.json, nq-open-*.jsonl.gz of lost-in-the-middle, or NQ-open.*.jsonl"
        )
    fields = Fields(where, named)
    question, answers = fields.needed("question"), context_forms.answers_of(fields)
    # the published files say which passage is gold; FlashRAG's do not
    pieces = context_forms.pieces_of(fields, named, answers if flashrag.is_question(row) else None)
    name = context_forms.question_id(question, seen)
    return Record(name, question, answers, pieces, lack="" if answers else "without_answer")
