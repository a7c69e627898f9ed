"""Splits the passages about which questions will be written.

All passages of one unit (`split_units.py`: document, section or question) get the same split.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import HashSample
from raft_exp.corpora.groups import DocumentGroups, copied_documents
from raft_exp.corpora.question_splits import Shares
from raft_exp.corpora.room import has_room
from raft_exp.corpora.shares import draw_groups, draw_share
from raft_exp.corpora.split_units import SplitBy, divided


class PassageLevel:
    """The splits of passages, drawn by `seed`. Units that share passages or near copies have the same split.

    `asked`: whether questions are written for a passage. A share of the documents is drawn. Smaller units are drawn up
    to a share of the passages for which questions are written.
    """

    def __init__(
        self, by: SplitBy, collection: Passages, asked: Callable[[Passage], bool], config: Shares, seed: int
    ) -> None:
        self.by, self.collection = by, divided(collection, by)
        self._asked, self._config, self._groups = asked, config, _groups(self.collection)
        self._test: HashSample | set[str]
        self._validation: HashSample | set[str]
        if by == "document":
            units = np.unique(self.collection.units)
            names = list(dict.fromkeys(str(self._groups.of(int(unit))) for unit in units))
            self._test = draw_share(names, config.test, seed, "test documents")
            rest = [name for name in names if name not in self._test]
            self._validation = draw_share(rest, config.validation, seed, "validation documents", of=len(names))
        else:
            sizes = Counter(self._group(at) for at, passage in enumerate(self.collection) if asked(passage))
            total = sizes.total()
            self._test = draw_groups(sizes, config.test, seed, "test documents", total)
            rest_sizes = {name: size for name, size in sizes.items() if name not in self._test}
            self._validation = draw_groups(rest_sizes, config.validation, seed, "validation documents", total)

    def passages(self) -> Iterator[tuple[Passage, str]]:
        """Yields the passages for which questions are written, each with its split."""
        for at, passage in enumerate(self.collection):
            if self._asked(passage):
                group = self._group(at)
                split = "test" if group in self._test else "validation" if group in self._validation else "train"
                yield passage, split

    def questions(self) -> Iterator[Question]:
        """Yields a placeholder question without text for each of the `passages`."""
        return (Question(f"about {passage.id}", "", [], [passage.id], split) for passage, split in self.passages())

    def is_filled(self) -> bool:
        """Whether there are training and test passages.

        For units smaller than documents there must also be validation passages, if the share `validation` is above 0
        and there are three or more passages.
        """
        counts = Counter(split for _, split in self.passages())
        wanted = self._config.validation and self.by != "document" and counts.total() > 2
        return all(counts[split] for split in ("train", "test", *(["validation"] if wanted else [])))

    def has_room(self) -> bool:
        """Whether a question about each of the `passages` has enough passages for its distractors."""
        return has_room(self.collection, self.questions)

    def _group(self, at: int) -> str:
        return str(self._groups.of(int(self.collection.units[at])))


def _groups(collection: Passages) -> DocumentGroups:
    """Groups the units of a collection that share passages or near copies."""
    groups = DocumentGroups()
    for unit in np.unique(collection.units):
        groups.of(int(unit))
    for copies in copied_documents(collection, groups):
        groups.join(copies)
    return groups
