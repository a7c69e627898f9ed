"""The splits of a file's questions by document. `question_levels.py` has the splits by smaller units."""

from collections import Counter
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
from raft_exp.corpora.shares import draw_nearest, draw_share

SPLITS = ("train", "validation", "test")


class Shares(Protocol):
    """The settings of a corpus that decide its splits."""

    @property
    def validation(self) -> float:
        """Share of the documents (of the questions, if documents are few) in the validation split."""

    @property
    def test(self) -> float:
        """Share of the documents (of the questions, if documents are few) in the test split."""


@dataclass(frozen=True)
class Splits:
    """Splits of questions by document.

    A question has the split that the file gives it, else the split that the file gives to another question about its
    documents, else a split drawn for its documents. Documents are grouped, with one split per group, if a question has
    gold in each of them, if they have questions with the same words and answer, or if they share a passage or near
    copies. So no training question has the gold of a test question, unless the file gives these splits to both.
    """

    groups: DocumentGroups
    owners: dict[int, str]  # group -> the split that the file gives to its questions (`last`); "" if it gives none
    test: HashSample | set[str]  # groups, as text
    validation: HashSample | set[str]  # groups, as text
    collection: Passages

    @classmethod
    def of(
        cls, questions: Iterable[Question], collection: Passages, config: Shares, seed: int, few: bool = False
    ) -> "Splits":
        """Draws the splits. Test or validation documents are drawn only if the file has no question of that split.

        `few`: with True, the shares of `config` are shares of the questions, because few documents may have very
        different numbers of questions. With False, they are shares of the documents.
        """
        groups, document_splits, uses, drawn = DocumentGroups(), dict[int, str](), WordingUses(), False
        asked = Counter[int]()  # document -> questions
        for question in questions:
            documents = units_of(question, collection)
            uses.add(text_hash(units(question.question)), documents, answer_forms(question.answers))
            document = groups.join(documents)
            document_splits[document] = last(question.split, document_splits.get(document, ""))
            asked[document] += 1
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
        test_share = 0.0 if "test" in file_splits else config.test
        validation_share = 0.0 if "validation" in file_splits else config.validation
        test: HashSample | set[str]
        validation: HashSample | set[str]
        if few:
            sizes = dict.fromkeys(free, 0)
            for document, number in asked.items():
                if (group_name := str(groups.of(document))) in sizes:
                    sizes[group_name] += number
            total = sum(sizes.values())
            test = draw_nearest(sizes, test_share, seed, "test documents", total)
            rest_sizes = {name: size for name, size in sizes.items() if name not in test}
            validation = draw_nearest(rest_sizes, validation_share, seed, "validation documents", total)
        else:
            test = draw_share(free, test_share, seed, "test documents")
            rest = [document for document in free if document not in test]
            validation = draw_share(rest, validation_share, seed, "validation documents", of=len(free))
        return cls(groups, owners, test, validation, collection)

    def split(self, question: Question) -> str:
        """Returns the split of a question."""
        if question.split:
            return question.split
        group = self.groups.of(units_of(question, self.collection)[0])
        if self.owners[group]:
            return self.owners[group]
        if str(group) in self.test:
            return "test"
        return "validation" if str(group) in self.validation else "train"


def last(*splits: str) -> str:
    """Returns the split of a document whose questions have these splits ("" for a question without a split).

    It is test if any of them is test, else validation if any is validation, else train if any is train, else "".
    """
    return max(splits, key=("", *SPLITS).index)


def units_of(question: Question, collection: Passages) -> list[int]:
    """Returns the documents of a question's gold passages, or their smaller units (`split_units.py`)."""
    return [int(collection.units[collection.find(name)]) for name in question.gold]
