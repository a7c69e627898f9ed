"""Reads PubMedQA records in both published layouts (Jin et al. 2019, arXiv 1909.06146).

The project's own JSON files are {PMID: {QUESTION, CONTEXTS, LABELS, LONG_ANSWER, final_decision, YEAR, ...}}; the hub's
columns are pubid, question, context{contexts, labels, ...}, long_answer, final_decision. In FlashRAG's layout
(`readers/flashrag.py`) context and long_answer are in `metadata`, `golden_answers` has the decision, and `id` is the
PMID unless `metadata` has a pubid.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import flashrag, json_records

DECISIONS = ("yes", "no", "maybe")


@dataclass(frozen=True)
class Section:
    """A non-empty entry of CONTEXTS: its index in the list, its label ("" if it has none) and its text."""

    index: int
    label: str
    text: str


@dataclass(frozen=True)
class Article:
    """A record. `decision` is None in PQA-U; `sections` may be []; `long_answer` and `year` are "" if missing."""

    pmid: str
    question: str
    sections: list[Section]
    empty_sections: int
    decision: str | None
    long_answer: str
    year: str
    file: str


def articles(files: Iterable[Path]) -> Iterator[Article]:
    """Yields the articles of a subset's files.

    Raises DataError with file, PMID and remedy for an invalid record, and for a repeated PMID.
    """
    seen: set[str] = set()
    for path in files:
        for pmid, row in _records(path):
            if pmid in seen:
                raise _error(path, pmid, "comes twice", "remove one of the two records")
            seen.add(pmid)
            yield _article(path, pmid, row)


def _records(path: Path) -> Iterator[tuple[str, json_records.Row]]:
    if json_records.layout(path) == "object":
        yield from json_records.keyed(path)
        return
    for number, given in enumerate(json_records.rows(path), start=1):
        row = _of_flashrag(given) if flashrag.is_question(given) else given
        if number == 1 and "pubid" not in row:
            raise _foreign(path, f"record {number}", row)
        pmid = row.get("pubid")
        if isinstance(pmid, bool) or not str(pmid).isdigit():
            raise DataError(f"{path}, record {number}: pubid is {pmid!r}, not a PMID; correct or remove the record")
        yield str(pmid), row


def _of_flashrag(row: json_records.Row) -> json_records.Row:
    named = flashrag.named(row)
    return {"pubid": named.get("id"), "final_decision": named.get("answer"), **named}


def _is_record(row: json_records.Row) -> bool:
    return bool(row.keys() & {"QUESTION", "CONTEXTS", "question", "context"})


def _foreign(path: Path, where: str, row: json_records.Row) -> DataError:
    return DataError(
        f"{path}: not a PubMedQA file: {where} has the keys {sorted(row)[:6]}; corpus.path takes ori_pqa*.json "
        "or rows of pubid, question, context, long_answer"
    )


def _article(path: Path, pmid: str, row: json_records.Row) -> Article:
    if not _is_record(row):
        raise _foreign(path, f"record {pmid!r}", row)
    hub = "question" in row or "context" in row
    name = "question" if hub else "QUESTION"
    question = row.get(name)
    if not isinstance(question, str) or not question.strip():
        raise _error(path, pmid, f"has no {name}", "add it or remove the record")
    sections, empty = _sections(path, pmid, row.get("context") if hub else row, str.lower if hub else str.upper)
    decision = decision_of(path, pmid, row.get("final_decision"))
    long_answer = _text(row.get("long_answer" if hub else "LONG_ANSWER"))
    return Article(pmid, question, sections, empty, decision, long_answer, _text(row.get("YEAR")), path.name)


def _sections(path: Path, pmid: str, context: object, case: Callable[[str], str]) -> tuple[list[Section], int]:
    """Returns the sections with text, and the number of sections without text.

    `case` writes a key in the case of the file's layout, e.g. CONTEXTS.
    """
    texts = context.get(case("contexts")) if isinstance(context, dict) else None
    if not isinstance(context, dict) or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _error(
            path, pmid, f"has {case('contexts')} that is not a list of strings", "correct or remove the record"
        )
    labels = context.get(case("labels"))
    if not isinstance(labels, list) or len(labels) != len(texts):
        labels = [""] * len(texts)
    sections = [
        Section(index, _text(label), text) for index, (label, text) in enumerate(zip(labels, texts, strict=True))
    ]
    with_text = [section for section in sections if section.text.strip()]
    return with_text, len(sections) - len(with_text)


def decision_of(path: Path, pmid: str, decision: object) -> str | None:
    """Returns a record's `final_decision`; None if it is missing. Raises DataError unless it is yes, no or maybe."""
    if decision is None or (isinstance(decision, str) and decision in DECISIONS):
        return decision
    raise _error(path, pmid, f"has the decision {decision!r}", f"the decisions are {', '.join(DECISIONS)}: correct it")


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _error(path: Path, pmid: str, what: str, remedy: str) -> DataError:
    return DataError(f"{path}: PMID {pmid} {what}; {remedy}")
