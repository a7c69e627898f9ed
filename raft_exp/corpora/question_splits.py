"""The splits of the questions of a file, by document. `question_levels.py` has those by smaller units."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.core.sampling import HashSample
from raft_exp.core.shingles import text_hash, units
from raft_exp.core.wording import WordingUses, answer_forms
from raft_exp.corpora.groups import DocumentGroups, copied_documents
from raft_exp.corpora.shares import draw_share

SPLITS = ("train", "validation", "test")


class Shares(Protocol):
    """The settings of a corpus that decide its splits."""

    @property
    def validation(self) -> float:
        """Share of the documents whose questions validate."""

    @property
    def test(self) -> float:
        """Share of the documents whose questions test."""


@dataclass(frozen=True)
class Splits:
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
    def of(cls, questions: Iterable[Question], collection: Passages, config: Shares, seed: int) -> "Splits":
        """Test and validation documents are drawn only where the file has no question of that split."""
        groups, document_splits, uses, drawn = DocumentGroups(), dict[int, str](), WordingUses(), False
        for question in questions:
            documents = units_of(question, collection)
            uses.add(text_hash(units(question.question)), documents, answer_forms(question.answers))
            document = groups.join(documents)
            document_splits[document] = last(question.split, document_splits.get(document, ""))
            drawn = drawn or not question.split
        if drawn:
            for copies in chain(copied_documents(collection, groups), uses.repeated()):
                groups.join(copies)
        owners: dict[int, str] = {}
        for document, split in document_splits.items():
            group = groups.of(document)
            owners[group] = last(split, owners.get(group, ""))
        file_splits = set(owners.values())
        free = [str(group) for group, split in owners.items() if not split]
        test = draw_share(free, 0.0 if "test" in file_splits else config.test, seed, "test documents")
        rest = [document for document in free if document not in test]
        share = 0.0 if "validation" in file_splits else config.validation
        validation = draw_share(rest, share, seed, "validation documents", of=len(free))
        return cls(groups, owners, test, validation, collection)

    def split(self, question: Question) -> str:
        """The split of a question."""
        if question.split:
            return question.split
        group = self.groups.of(units_of(question, self.collection)[0])
        if self.owners[group]:
            return self.owners[group]
        if str(group) in self.test:
            return "test"
        return "validation" if str(group) in self.validation else "train"


def last(*splits: str) -> str:
    """The split that a document with questions of several splits has: test before validation before train."""
    return max(splits, key=("", *SPLITS).index)


def units_of(question: Question, collection: Passages) -> list[int]:
    """The documents of a question's gold passages, or their smaller units (`split_units.py`)."""
    return [int(collection.units[collection.find(name)]) for name in question.gold]
