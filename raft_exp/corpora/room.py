"""Whether the questions of a corpus have enough passages for their distractors."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import NUM_DISTRACTORS
from raft_exp.retrieval.filters import DistractorFilter


def has_room(collection: Passages, questions: Callable[[], Iterator[Question]]) -> bool:
    """Whether each training and test question has `NUM_DISTRACTORS` distractors, and one more for each gold passage.

    The rules are those of the default settings. Questions that have too few in the whole collection do not count.
    Validation contexts may have fewer.
    """
    owners, whole = pools.document_splits(collection, questions()), collection.with_units(_each(collection), True)
    everything = range(len(collection))
    for split in ("train", "test"):
        pool = pools.pool(owners, split).tolist()
        poor = (each for each in questions() if each.split == split and not _enough(collection, each, pool))
        if any(_enough(whole, each, everything) for each in poor):
            return False
    return True


def _enough(collection: Passages, question: Question, pool: Sequence[int]) -> bool:
    allowed = DistractorFilter(collection, same_document=False, answer_allowed=question.split == "test")
    wanted = NUM_DISTRACTORS + len(question.gold)
    return len(allowed.distractors(question, iter(pool), wanted)) == wanted


def _each(collection: Passages) -> np.ndarray:
    return np.arange(len(collection), dtype=np.uint64)
