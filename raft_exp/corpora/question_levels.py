"""The splits of a file's questions by one kind of unit (`split_units.py`), and checks of these splits."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.core.shingles import text_hash, units
from raft_exp.core.wording import WordingUses, answer_forms
from raft_exp.corpora.groups import DocumentGroups, copied_documents
from raft_exp.corpora.question_splits import Shares, Splits, last, units_of
from raft_exp.corpora.room import has_room
from raft_exp.corpora.same_questions import number_of, same_questions
from raft_exp.corpora.shares import draw_groups
from raft_exp.corpora.split_units import SplitBy, divided

Questions = Callable[[], Iterator[Question]]  # each call streams the questions, with the split of the file or ""


class QuestionLevel:
    """The splits of questions by documents, sections or single questions.

    `few`: with True, a split by document draws shares of the questions (`Splits.of`). Attributes: `by`; `collection`,
    the passages with these units; `split`, a function that returns the split of a question.
    """

    def __init__(
        self, by: SplitBy, questions: Questions, collection: Passages, config: Shares, seed: int, few: bool = False
    ) -> None:
        self.by, self.collection = by, divided(collection, by)
        self._questions, self._config = questions, config
        if by == "document":
            self.split = Splits.of(questions(), self.collection, config, seed, few).split
            return
        self.split = DrawnSplits(by, questions, self.collection, config, seed).split
        if by == "question" and not self.is_filled():  # too few passages to keep the questions of a passage together
            self.split = DrawnSplits(by, questions, self.collection, config, seed, together=False).split

    def questions(self) -> Iterator[Question]:
        """Yields the questions with their splits."""
        return (replace(question, split=self.split(question)) for question in self._questions())

    def is_filled(self) -> bool:
        """Whether the splits have enough questions: at least one for training and one for the test.

        Splits by section or by question need more. The test split needs at least half of the share `test` of all
        questions, unless the file names test questions. If the share `validation` is above 0 and there are three or
        more questions, the validation split needs a question.
        """
        counts = Counter(question.split for question in self.questions())
        if not counts["train"] or not counts["test"]:
            return False
        if self.by == "document":
            return True
        given = any(question.split == "test" for question in self._questions())
        enough = given or counts["test"] >= self._config.test * counts.total() / 2
        return enough and bool(counts["validation"] or not self._config.validation or counts.total() < 3)

    def has_room(self) -> bool:
        """Whether each training and test question has enough distractors under the default settings (`room.py`)."""
        return has_room(self.collection, self.questions)


class DrawnSplits:
    """Splits of questions by sections, or one by one.

    Groups are drawn up to a share of the questions to which the file gives no split. Sections are grouped as documents
    are (`Splits`). Single questions are grouped if they are the same (`same_questions.py`) or, with `together`, share a
    gold passage.
    """

    def __init__(
        self,
        by: SplitBy,
        questions: Questions,
        collection: Passages,
        config: Shares,
        seed: int,
        together: bool = True,
    ) -> None:
        self._by, self._collection, self._together = by, collection, together
        self._groups = self._grouped(questions)
        self._splits, sizes = dict[int, str](), Counter[str]()
        for question in questions():
            group = self._group(question)
            self._splits[group] = last(question.split, self._splits.get(group, ""))
        file_splits = set(self._splits.values())
        for question in questions():
            if not self._splits[self._group(question)]:
                sizes[str(self._group(question))] += 1
        total = sizes.total()
        for split in ("test", "validation"):
            share = 0.0 if split in file_splits else float(getattr(config, split))
            for name in draw_groups(sizes, share, seed, f"{split} documents", total):
                self._splits[int(name)] = split
                del sizes[name]

    def split(self, question: Question) -> str:
        """Returns the split of a question."""
        return question.split or self._splits[self._group(question)] or "train"

    def _group(self, question: Question) -> int:
        if self._by == "question":
            return self._groups.of(number_of(question))
        return self._groups.of(units_of(question, self._collection)[0])

    def _grouped(self, questions: Questions) -> DocumentGroups:
        groups = DocumentGroups()
        if self._by == "question":
            joined: Iterable[set[int]] = same_questions(questions(), same_gold=self._together)
        else:
            uses = WordingUses()
            for question in questions():
                sections = units_of(question, self._collection)
                uses.add(text_hash(units(question.question)), sections, answer_forms(question.answers))
                groups.join(sections)
            joined = chain(copied_documents(self._collection, groups), uses.repeated())
        for members in joined:
            groups.join(members)
        return groups
