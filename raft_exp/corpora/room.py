"""Checks whether the questions of a corpus have enough passages for their distractors."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import NUM_DISTRACTORS
from raft_exp.retrieval.filters import DistractorFilter


def has_room(collection: Passages, questions: Callable[[], Iterator[Question]]) -> bool:
    """Whether each training and test question has enough distractors under the default settings.

    A question needs `NUM_DISTRACTORS` distractors and one more for each gold passage, or all that the whole
    collection has if these are fewer. Validation questions are not checked.
    """
    owners, whole = pools.document_splits(collection, questions()), collection.with_units(_each(collection), True)
    everything = range(len(collection))
    for split in ("train", "test"):
        pool = pools.pool(owners, split).tolist()
        for question in (each for each in questions() if each.split == split):
            wanted = NUM_DISTRACTORS + len(question.gold)
            found = _distractors(collection, question, pool, wanted)
            if found < wanted and found < _distractors(whole, question, everything, wanted):
                return False
    return True


def _distractors(collection: Passages, question: Question, pool: Sequence[int], most: int) -> int:
    allowed = DistractorFilter(collection, same_document=False, answer_allowed=question.split == "test")
    return len(allowed.distractors(question, iter(pool), most))


def _each(collection: Passages) -> np.ndarray:
    return np.arange(len(collection), dtype=np.uint64)
