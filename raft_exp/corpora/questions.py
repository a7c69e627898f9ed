"""Questions from a file (corpus.questions=FILE), for every corpus whose config is a `QuestionsFileConfig`.

A row is {question, answers, gold or document_id}; id, split, given, evidence, explanation and slices are optional. They
are the fields of `records.Question`; `readers/question_rows.py` tells other names and the formats of files. `gold`
names the gold passages; `document_id` names their document, of which the passages that hold an answer word for word are
gold, or the few closest ones where none does (`gold.py`).
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.shingles import text_hash, units
from raft_exp.core.text import Form, answer_pattern, normalise
from raft_exp.core.wording import WordingUses, answer_forms
from raft_exp.corpora.gold import SLICE, GoldFinder
from raft_exp.corpora.groups import DocumentGroups, copied_documents
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.question_rows import QuestionRows
from raft_exp.corpora.shares import draw_share

SPLITS = ("train", "validation", "test")


@runtime_checkable
class QuestionsFileConfig(Protocol):
    """The settings of a corpus whose questions may come from a file."""

    @property
    def questions(self) -> str | None:
        """Path of the file."""

    @property
    def max_items(self) -> int | None:
        """The most training questions; null for all."""

    @property
    def columns(self) -> dict[str, str]:
        """Field of a question -> its name in the file, for names that are not guessed."""

    @property
    def closest(self) -> int:
        """The most gold passages of a question whose answer stands nowhere word for word."""

    @property
    def validation(self) -> float:
        """Share of the documents whose questions validate."""

    @property
    def test(self) -> float:
        """Share of the documents whose questions test."""


def files_of(config: object) -> list[Path]:
    """The questions file of a corpus config; [] where it has none. Raises DataError when the file is missing."""
    path = config.questions if isinstance(config, QuestionsFileConfig) else None
    if path is not None and not Path(path).is_file():
        raise DataError(f"corpus.questions={path!r}: no such file; name a file with one question a line")
    return [] if path is None else [Path(path)]


@dataclass(frozen=True)
class ReadyQuestions:
    """The questions of a file, with their gold passages and splits; may be streamed several times."""

    file: Path
    collection: Passages
    config: QuestionsFileConfig
    seed: int

    def stream(self, counts: Counter[str]) -> Iterator[Question]:
        """Every question with its split, in the file's order. `counts` counts how gold and evidence were determined."""
        first, rows = Counter[str](), QuestionRows(self.file, self.config.columns)
        finder = GoldFinder(self.collection, self.config.closest, first)
        splits = _Splits.of(self._questions(rows, first, finder), self.collection, self.config, self.seed)
        finder.check(first["records"])
        if line := rows.taken():
            print(line, file=sys.stderr)
        several = bool(first["gold_by_closeness"] + first["gold_by_document"])

        def with_splits(stream_counts: Counter[str]) -> Iterator[Question]:
            found = GoldFinder(self.collection, self.config.closest, stream_counts)
            for question in self._questions(rows, stream_counts, found, several):
                yield replace(question, split=splits.split(question))

        training = (question.id for question in with_splits(Counter()) if question.split == "train")
        sample = subsample(training, self.config.max_items, self.seed)
        yield from (question for question in with_splits(counts) if question.split != "train" or question.id in sample)

    def _questions(
        self, rows: QuestionRows, counts: Counter[str], finder: GoldFinder, with_slice: bool = False
    ) -> Iterator[Question]:
        """The questions with the split of the file, "" where it has none. `with_slice`: with how gold was found."""
        for place, row in rows.placed():
            counts["records"] += 1
            fields = Fields(f"{self.file}, {place}", row)
            yield self._question(fields, place.replace(" ", "-"), counts, finder, with_slice)

    def _question(
        self, fields: Fields, name: str, counts: Counter[str], finder: GoldFinder, with_slice: bool
    ) -> Question:
        answers = fields.texts("answers")
        places, found = self._gold(fields, name, answers, finder)
        gold = [self.collection[place] for place in places]
        evidence = self._evidence(fields)
        if not evidence and not fields.text("explanation"):
            evidence = answering_sentence(gold, answers, self.collection.form)
            counts["evidence_by_answer"] += len(evidence)
        return Question(
            id=fields.text("id") or name,
            question=fields.needed("question"),
            answers=answers,
            gold=[passage.id for passage in gold],
            split=fields.chosen("split", SPLITS) or "",
            given=[self.collection[self._find(fields, "given", name)].id for name in fields.texts("given")],
            evidence=evidence,
            explanation=fields.text("explanation") or "",
            slices=({SLICE: found} if with_slice and found else {})
            | {str(key): str(value) for key, value in (fields.get("slices", dict) or {}).items()},
        )

    def _gold(self, fields: Fields, place: str, answers: list[str], finder: GoldFinder) -> tuple[list[int], str]:
        """The ordinals of the gold passages, and how they were found: "" for named ones."""
        named = fields.texts("gold")
        if named:
            return [self._find(fields, "gold", name) for name in dict.fromkeys(named)], ""
        document = fields.text("document_id")
        if document is None:
            raise fields.error(
                "gold", "is missing, and so is 'document_id'", "name the passages or the document with the answer"
            )
        passages = self.collection.of_document(document)
        if not passages:
            raise fields.error("document_id", f"is {document!r}, which has no passages", "correct it")
        return finder.find(place.replace("-", " "), fields.needed("question"), answers, passages)

    def _find(self, fields: Fields, field: str, name: str) -> int:
        try:
            return self.collection.find(name)
        except DataError:
            raise fields.error(field, f"names {name!r}, which is no passage", "give ids of passages") from None

    def _evidence(self, fields: Fields) -> list[tuple[str, int]]:
        evidence = []
        for pair in fields.get("evidence", list) or []:
            if not (isinstance(pair, list) and [type(part) for part in pair] == [str, int]):
                raise fields.error("evidence", f"holds {pair!r:.60}", "give pairs of passage id and sentence number")
            name, sentence = pair
            sentences = self.collection[self._find(fields, "evidence", name)].sentences
            if not 0 <= sentence < len(sentences):
                raise fields.error("evidence", f"names sentence {sentence} of {len(sentences)}", "count from 0")
            evidence.append((name, sentence))
        return evidence


def answering_sentence(gold: Iterable[Passage], answers: list[str], form: Form = normalise) -> list[tuple[str, int]]:
    """The first gold sentence that holds an answer word for word: [(passage id, sentence number)], or []."""
    pattern = answer_pattern(answers, form)
    if pattern:
        for passage in gold:
            for number, sentence in enumerate(passage.sentences):
                if pattern.search(sentence):
                    return [(passage.id, number)]
    return []


@dataclass(frozen=True)
class _Splits:
    """Splits of questions. A question has the split of the file, else that of another question of its documents, else a
    split drawn for its documents.

    Documents form a group with one split where they share a question, or an equally worded question with one answer, or
    where one has a near copy of a passage of the other. So no training question has the gold of a test question.
    """

    groups: DocumentGroups
    owners: dict[int, str]  # group -> the split in the file of one of its questions, "" without one
    test: HashSample
    validation: HashSample
    collection: Passages

    @classmethod
    def of(
        cls, questions: Iterable[Question], collection: Passages, config: QuestionsFileConfig, seed: int
    ) -> "_Splits":
        """Test and validation documents are drawn only where the file has no question of that split."""
        groups, document_splits, uses, drawn = DocumentGroups(), dict[int, str](), WordingUses(), False
        for question in questions:
            documents = _documents(question, collection)
            uses.add(text_hash(units(question.question)), documents, answer_forms(question.answers))
            document = groups.join(documents)
            document_splits[document] = _last(question.split, document_splits.get(document, ""))
            drawn = drawn or not question.split
        if drawn:
            for copies in chain(copied_documents(collection, groups), uses.repeated()):
                groups.join(copies)
        owners: dict[int, str] = {}
        for document, split in document_splits.items():
            group = groups.of(document)
            owners[group] = _last(split, owners.get(group, ""))
        file_splits = set(owners.values())
        free = [str(group) for group, split in owners.items() if not split]
        test = draw_share(free, 0.0 if "test" in file_splits else config.test, seed, "test documents")
        rest = [document for document in free if document not in test]
        share = 0.0 if "validation" in file_splits else config.validation
        validation = draw_share(rest, share, seed, "validation documents", of=len(free))
        return cls(groups, owners, test, validation, collection)

    def split(self, question: Question) -> str:
        if question.split:
            return question.split
        group = self.groups.of(_documents(question, self.collection)[0])
        if self.owners[group]:
            return self.owners[group]
        if str(group) in self.test:
            return "test"
        return "validation" if str(group) in self.validation else "train"


def _last(*splits: str) -> str:
    return max(splits, key=("", *SPLITS).index)


def _documents(question: Question, collection: Passages) -> list[int]:
    """The documents of a question's gold passages."""
    return [int(collection.documents[collection.find(name)]) for name in question.gold]
