"""Questions from a file (corpus.questions=FILE), for every corpus whose config is a `QuestionsFileConfig`.

A row is {question, answers, gold or document_id}; id, split, given, evidence, explanation and slices are optional. They
are the fields of `records.Question`; `readers/question_rows.py` lists their other names and the formats of files.
`gold` names the gold passages; `document_id` names their document or documents, in which they are found (`gold.py`).
"""

import difflib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.shingles import text_hash, units
from raft_exp.core.text import Form, answer_pattern
from raft_exp.core.wording import WordingUses, answer_forms
from raft_exp.corpora.gold import FoundGold, GoldFinder
from raft_exp.corpora.groups import DocumentGroups, copied_documents
from raft_exp.corpora.quoted import Place, closest_quotes
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.question_rows import QuestionRows
from raft_exp.corpora.shares import draw_share
from raft_exp.retrieval.likeness import ByWords, Likeness

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
        """Share of the documents whose questions are validation questions."""

    @property
    def test(self) -> float:
        """Share of the documents whose questions are test questions."""


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
    likeness: Likeness | None = None  # finds the gold of questions that name their document; None: by words

    def stream(self, counts: Counter[str]) -> Iterator[Question]:
        """Every question with its split, in the file's order. `counts` counts how gold and evidence were determined."""
        first, rows, answered = Counter[str](), QuestionRows(self.file, self.config.columns), Counter[bool]()
        search = _GoldSearch(self.collection, self.config.closest, self.likeness or ByWords(self.collection))
        questions = _counted(self._questions(rows, first, search), answered)
        splits = _Splits.of(questions, self.collection, self.config, self.seed)
        if answered and not answered[True]:
            there = ", ".join(map(repr, rows.names))
            raise DataError(
                f"{self.file}: no question has an answer; give answers, or say which of {there} holds them: "
                "corpus.columns.answers=NAME"
            )
        search.finder.check(first["records"])
        if line := rows.taken():
            print(line, file=sys.stderr)
        kinds = (
            bool(first["gold_by_closeness"] + first["gold_by_document"]),
            0 < first["gold_several"] < first["records"],
        )

        def with_splits(stream_counts: Counter[str]) -> Iterator[Question]:
            for question in self._questions(rows, stream_counts, search, kinds):
                yield replace(question, split=splits.split(question))

        training = (question.id for question in with_splits(Counter()) if question.split == "train")
        sample = subsample(training, self.config.max_items, self.seed)
        yield from (question for question in with_splits(counts) if question.split != "train" or question.id in sample)

    def _questions(
        self, rows: QuestionRows, counts: Counter[str], search: "_GoldSearch", kinds: tuple[bool, bool] = (False, False)
    ) -> Iterator[Question]:
        """The questions with the split of the file, "" where it has none. `kinds`: those of `FoundGold.slices`."""
        for place, row in rows.placed():
            counts["records"] += 1
            fields = Fields(f"{self.file}, {place}", row, rows.names)
            yield self._question(fields, place, counts, search, kinds)

    def _question(
        self, fields: Fields, place: str, counts: Counter[str], search: "_GoldSearch", kinds: tuple[bool, bool]
    ) -> Question:
        answers, evidence = fields.texts("answers"), self._evidence(fields)
        gold = search.gold(place, fields.needed("question"), answers, self._hints(fields))
        gold.count(counts)
        if not evidence and not fields.text("explanation"):
            evidence, holds = search.quotes(place, answers, gold)
            if evidence:
                counts["evidence_by_answer" if holds else "evidence_by_closeness"] += len(evidence)
        name = place.replace(" ", "-")
        return Question(
            id=fields.text("id") or name,
            question=fields.needed("question"),
            answers=answers,
            gold=self._ids(gold.passages),
            split=fields.chosen("split", SPLITS) or "",
            given=[self.collection[self._find(fields, "given", name)].id for name in fields.texts("given")],
            evidence=evidence,
            explanation=fields.text("explanation") or "",
            slices=gold.slices(*kinds)
            | {str(key): str(value) for key, value in (fields.get("slices", dict) or {}).items()},
            also_answering=self._ids(gold.also_answering),
        )

    def _ids(self, ordinals: Iterable[int]) -> list[str]:
        return [self.collection[ordinal].id for ordinal in ordinals]

    def _hints(self, fields: Fields) -> "_Hints":
        """The passages that the file names as gold, or those of each document that it names."""
        named = fields.texts("gold")
        if named:
            return _Hints([self._find(fields, "gold", name) for name in dict.fromkeys(named)])
        documents = fields.names("document_id")
        if not documents:
            raise fields.error(
                "gold",
                "is missing, and so is 'document_id'",
                f"name the passages or the document with the answer{fields.other_name('document_id')}",
            )
        found = {name: self.collection.of_document(name) for name in documents}
        for name, passages in found.items():
            if not passages:
                raise fields.error(
                    "document_id", f"is {name!r}, which is no document with passages", self._nearest(name)
                )
        return _Hints([], [*found.values()])

    def _nearest(self, name: str) -> str:
        """The remedy for an unknown document: the nearest id, or a few of those that there are."""
        known = list(dict.fromkeys(passage.document_id for passage in self.collection))
        by_name = {Path(each).name: each for each in known}
        close = difflib.get_close_matches(name, known, 1) or difflib.get_close_matches(Path(name).name, by_name, 1)
        if close:
            return f"did you mean {by_name.get(close[0], close[0])!r}?"
        return f"the ids of the {len(known):,} documents are such as {', '.join(map(repr, known[:3]))}"

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


def _counted(questions: Iterable[Question], answered: Counter[bool]) -> Iterator[Question]:
    """Yields the questions, and counts those with and without answers."""
    for question in questions:
        answered[bool(question.answers)] += 1
        yield question


def answering_sentence(gold: Iterable[Passage], answers: list[str], form: Form) -> list[tuple[str, int]]:
    """The first gold sentence that holds an answer word for word: [(passage id, sentence number)], or [].

    For published data sets, whose evidence it is. The user's own corpora have `quoted.closest_quotes`.
    """
    pattern = answer_pattern(answers, form)
    if pattern:
        for passage in gold:
            for number, sentence in enumerate(passage.sentences):
                if pattern.search(sentence):
                    return [(passage.id, number)]
    return []


@dataclass(frozen=True)
class _Hints:
    """What a row says about its gold: the passages, or the passages of each of its documents."""

    named: list[int]
    documents: list[list[int]] = field(default_factory=list)


class _GoldSearch:
    """Finds the gold and the quotes of each row once; the file is read several times."""

    def __init__(self, collection: Passages, most: int, likeness: Likeness) -> None:
        self.finder = GoldFinder(collection, most, likeness)
        self._collection, self._likeness = collection, likeness
        self._gold: dict[str, FoundGold] = {}  # by the place of the row
        self._quotes: dict[str, tuple[list[Place], bool]] = {}

    def gold(self, place: str, question: str, answers: list[str], hints: _Hints) -> FoundGold:
        if place not in self._gold:
            if hints.named:
                self._gold[place] = self.finder.named(question, answers, hints.named)
            else:
                self._gold[place] = self.finder.find(place, question, answers, hints.documents)
        return self._gold[place]

    def quotes(self, place: str, answers: list[str], gold: FoundGold) -> tuple[list[Place], bool]:
        if place not in self._quotes:
            passages = ((self._collection[at], text) for at, text in gold.quotes)
            self._quotes[place] = closest_quotes(passages, answers, self._collection.form, self._likeness.sentences)
        return self._quotes[place]


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
