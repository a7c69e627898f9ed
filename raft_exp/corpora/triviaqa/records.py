"""Reads every published form of TriviaQA as one kind of record: a question with its passages.

- The authors' files: {Data: [{Question, QuestionId, Answer, EntityPages, SearchResults}]}, with evidence files.
- The hub's columns: {question, question_id, answer, entity_pages, search_results}, with the text of the evidence.
- DPR's and FiD's forms (`corpora/context_forms.py`), and trivia-*.qa.csv: lines of question, tab, list of answers.
- FlashRAG's layout (`readers/flashrag.py`).
"""

import ast
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora import context_forms
from raft_exp.corpora.context_records import Record
from raft_exp.corpora.readers import flashrag, json_records
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.json_records import Row
from raft_exp.corpora.triviaqa import evidence
from raft_exp.corpora.triviaqa.aliases import accepted
from raft_exp.corpora.triviaqa.evidence import Document, EvidenceFiles

_DATA = "Data"
_AUTHORS = {name: name for name in ("Value", "Aliases", "NormalizedAliases", "HumanAnswers")}
_HUB = {"Value": "value", "Aliases": "aliases", "NormalizedAliases": "normalized_aliases", "HumanAnswers": "human"}
_PAGES = (("entity_pages", "wiki_context"), ("search_results", "search_context"))  # of the hub
_BATCH = 16  # rows of parquet with the texts of ten documents each


class Reader:
    """Reads the files of one part.

    `words`: the largest number of words of a passage of an evidence document. `keeps_all` decides about a record of
    which no evidence passage contains an answer word for word: True makes the most similar passage gold, so that no
    test question is lost; False gives the record the lack `without_gold`. `reads_evidence`: False leaves the documents
    out.
    """

    def __init__(self, words: int, keeps_all: bool, reads_evidence: bool = True) -> None:
        self._words, self._keeps_all, self._reads_evidence = words, keeps_all, reads_evidence
        self._seen: Counter[str] = Counter()

    def records(self, path: Path) -> Iterator[Record]:
        """Yields the records of a file. Raises DataError with file, place, field and remedy."""
        if _is_table(path):
            for place, row in _table(path):
                yield self._in_shared_form(f"{path}, {place}", row)
        elif json_records.has_list(path, _DATA):
            files = EvidenceFiles.beside([path]) if self._reads_evidence else None
            for place, row in json_records.listed(path, _DATA):
                yield self._of_authors(Fields(f"{path}, {place}", row), files, path.name)
        else:
            for place, row in json_records.placed(path, _BATCH):
                where = f"{path}, {place}"
                yield self._of_hub(Fields(where, row)) if _is_hub(row) else self._in_shared_form(where, row)

    def _of_authors(self, fields: Fields, files: EvidenceFiles | None, file: str) -> Record:
        """Parses a record of the file `file`.

        Of a file `verified-*web*`, only verified documents are used, as in the published evaluation. Questions of a
        file `verified-*` that are not verified get the lack `not_verified`.
        """
        verified = file.startswith("verified-")
        answer = Fields(f"{fields.where}, Answer", fields.get("Answer", dict) or {})
        answers = accepted(answer, _AUTHORS)
        found = [page for name in evidence.KINDS for page in _pages(fields, name)]
        if verified and "web" in file:
            found = [(kind, page) for kind, page in found if page.flag("DocPartOfVerifiedEval")]
        documents = []
        for kind, page in found:
            if files and (text := files.text(kind, page.needed("Filename"), page.where)):
                documents.append(Document(page.text("Title") or "", text))
        lack = "" if answers else "without_answer"
        if verified and fields.truth("QuestionPartOfVerifiedEval") is False:
            lack = "not_verified"
        name, question = fields.needed("QuestionId"), fields.needed("Question")
        counted = {"evidence_files_missing": len(found) - len(documents)}
        return self._with_evidence(Record(name, question, answers, None, lack=lack, counted=counted), documents)

    def _of_hub(self, fields: Fields) -> Record:
        answer = Fields(f"{fields.where}, answer", fields.get("answer", dict) or {})
        answers = accepted(answer, _HUB)
        documents = []
        for name, texts in _PAGES if self._reads_evidence else ():
            page = Fields(f"{fields.where}, {name}", fields.get(name, dict) or {})
            titles = page.texts("title")
            documents += [Document(title, text) for title, text in zip(titles, page.texts(texts), strict=False) if text]
        name, question = fields.needed("question_id"), fields.needed("question")
        lack = "" if answers else "without_answer"
        return self._with_evidence(Record(name, question, answers, None, lack=lack), documents)

    def _with_evidence(self, record: Record, documents: Sequence[Document]) -> Record:
        """Returns a record with the passages of its documents; without documents, the unchanged record."""
        if not documents or record.lack:
            return record
        pieces = evidence.pieces_of(documents, self._words, record.question, record.answers)
        has_answer = any(piece.gold for piece in pieces)
        if not has_answer and self._keeps_all:
            pieces = evidence.with_closest(pieces, f"{record.question} {' '.join(record.answers)}")
        return replace(
            record,
            pieces=pieces,
            is_context=False,
            lack="" if has_answer or self._keeps_all else "without_gold",
            counted={**record.counted, "gold_without_answer": int(not has_answer and self._keeps_all)},
        )

    def _in_shared_form(self, where: str, given: Row) -> Record:
        row = flashrag.named(given)
        if not context_forms.is_question(row):
            raise DataError(
                f"{where}: not a record of TriviaQA (its keys are {sorted(given)[:6]}); corpus.path takes the authors' "
                "files (wikipedia-train.json, ...), the hub's parquet, DPR's biencoder-trivia-*.json and "
                "trivia-*.qa.csv, and rows of question, answers, ctxs or golden_answers"
            )
        fields = Fields(where, row)
        question, answers = fields.needed("question"), context_forms.answers_of(fields)
        pieces = context_forms.pieces_of(fields, row, answers)
        if pieces is not None:
            pieces = context_forms.first_is_gold(pieces)  # all of DPR's positives hold an answer; the first is the best
        gold = next((piece for piece in pieces or [] if piece.gold), None)
        lack = "" if answers else "without_answer"
        if "positive_ctxs" in row and not gold:
            lack = "without_positive"  # DPR leaves these out too
        return Record(
            fields.text("id") or context_forms.question_id(question, self._seen),
            question,
            context_forms.as_written_first(answers, gold.text) if gold else answers,
            pieces,
            lack=lack,
            is_context="ctxs" in row,
        )


def _pages(fields: Fields, name: str) -> Iterator[tuple[str, Fields]]:
    """Yields the subfolder and the fields of each evidence document that a record names."""
    pages = fields.get(name, list) or []
    if not all(isinstance(page, dict) for page in pages):
        raise fields.error(name, f"is {pages!r:.60}", "give the published data file")
    for number, page in enumerate(pages, start=1):
        placed = Fields(f"{fields.where}, {name} {number}", page)
        if placed.text("Filename"):
            yield evidence.KINDS[name], placed


def _is_hub(row: Row) -> bool:
    return "question_id" in row and isinstance(row.get("answer"), dict)


def _is_table(path: Path) -> bool:
    with json_records.open_bytes(path) as file:
        start = file.readline().lstrip()
    return b"\t" in start and not start.startswith((b"{", b"[", b"PAR1"))


def _table(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields the rows of DPR's trivia-*.qa.csv: a question, a tab, and the answers as a Python list."""
    with json_records.open_bytes(path) as file:
        lines = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""), delimiter="\t")
        number = 0
        try:
            for row in lines:
                number = lines.line_num
                if row:
                    question, answers = row
                    yield f"line {number}", {"question": question, "answers": ast.literal_eval(answers)}
        except (csv.Error, ValueError, SyntaxError, EOFError, OSError) as error:
            raise DataError(
                f"{path}, line {number}: expected a question, a tab and a list of answers ({error}); fetch "
                "the file again"
            ) from error
