"""Margins on the similarity to the question."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.margin import Margin, within
from tests.helpers import index as indexed
from tests.helpers.embeddings import question

scores = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12)


class Fixed:
    """A source with these scores."""

    def __init__(self, found):
        self._found = found

    def ranked(self, _):
        order = sorted(range(len(self._found)), key=lambda ordinal: -self._found[ordinal])
        return ((ordinal, self._found[ordinal]) for ordinal in order)

    def similarity(self, _, ordinals):
        return [self._found[ordinal] for ordinal in ordinals]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("margin")
    write_passages(folder, [Passage(str(i), str(i), "", f"text {i}", "", [f"text {i}"], "") for i in range(12)])
    return Passages(folder)


@pytest.mark.slow
@given(scores, st.sets(st.integers(0, 1)), st.none() | st.floats(-1, 1), st.none() | st.floats(0, 1))
@settings(max_examples=1000, deadline=None)
def test_what_is_too_similar_is_passed_over_and_counted(collection, found, gold, max_score, relative):
    rejected = Counter()
    rank = within(Margin(max_score, relative), Fixed(found), collection, rejected)
    ranked = list(rank(question("q", gold=[str(ordinal) for ordinal in gold])))
    best = max((found[ordinal] for ordinal in gold), default=None)
    for ordinal, score in enumerate(found):
        over = max_score is not None and score > max_score
        near = relative is not None and best is not None and score > best - abs(best) * relative
        assert (ordinal in ranked) == (ordinal in gold or not (over or near))
    assert rejected["too_similar"] == len(found) - len(ranked)
    assert ranked == sorted(ranked, key=lambda ordinal: (-found[ordinal], ordinal))


def test_a_negative_best_score_is_not_a_wider_gate(collection):
    rank = within(Margin(relative=0.5), Fixed([-0.4, -0.5, -0.7]), collection, Counter())
    assert list(rank(question("q", gold=["0"]))) == [0, 2]


TEXTS = ["the mill by the river mill", "a bird on the mill", "glass of the town by the river", "nothing", "mill mill"]


def test_bm25_scores_any_passage_by_the_words_of_the_collection(tmp_path):
    write_passages(tmp_path, [Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(TEXTS)])
    found = Passages(tmp_path)
    asked = question("mill river mill unknown")
    folder = indexed.write(tmp_path, found)
    whole, part = Bm25(folder, np.arange(5)), Bm25(folder, np.array([1, 3, 4]))
    ranked = dict(whole.ranked(asked))
    assert whole.similarity(asked, range(5)) == part.similarity(asked, range(5)) == [ranked[i] for i in range(5)]
    assert list(part.ranked(asked)) == [(ordinal, ranked[ordinal]) for ordinal in ranked if ordinal in (1, 3, 4)]
    assert ranked[4] > ranked[1] > ranked[3] == 0
