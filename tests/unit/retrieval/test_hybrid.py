"""Hybrid search: reciprocal rank fusion of two rankings, the same for every number of passages that is read."""

from collections.abc import Iterable, Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.records import Question
from raft_exp.retrieval import searches
from raft_exp.retrieval.hybrid import fused, hybrid_ranker
from tests.helpers.embeddings import question

ASKED = question("q")


class Fixed:
    """A search with fixed scores: `scores[ordinal]`."""

    def __init__(self, scores: Iterable[float]) -> None:
        self._scores = list(scores)
        self.read = 0

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        order = sorted(range(len(self._scores)), key=lambda ordinal: -self._scores[ordinal])
        for ordinal in order:
            self.read += 1
            yield ordinal, self._scores[ordinal]


def sums(words: list[float], vectors: list[float]) -> dict[int, float]:
    """The score of each passage by the definition: the sum of 1 / (60 + rank)."""
    total = dict.fromkeys(range(len(words)), 0.0)
    for scores, least in ((words, 0.0), (vectors, -1e9)):
        matching = [ordinal for ordinal in range(len(scores)) if scores[ordinal] > least]
        for rank, ordinal in enumerate(sorted(matching, key=lambda at: -scores[at]), start=1):
            total[ordinal] += 1 / (60 + rank)
    return total


scores = st.integers(1, 90).flatmap(
    lambda size: st.tuples(
        *(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 7.5]), min_size=size, max_size=size) for _ in range(2))
    )
)


@pytest.mark.slow
@given(scores)
@settings(max_examples=200, deadline=None)
def test_the_order_is_that_of_the_sums_of_reciprocal_ranks(made):
    words, vectors = made
    found = list(hybrid_ranker(Fixed(words), Fixed(vectors))(ASKED))
    total = sums(words, vectors)
    assert found == sorted(total, key=lambda ordinal: (-total[ordinal], ordinal))


@given(st.integers(101, 1200), st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_every_passage_comes_once_and_the_first_do_not_depend_on_how_many_are_read(size, seed):
    import numpy as np

    generator = np.random.default_rng(seed)
    made = [generator.random(size).tolist() for _ in range(2)]
    whole = list(hybrid_ranker(*map(Fixed, made))(ASKED))
    assert sorted(whole) == list(range(size))
    for count in (1, 50, 130, size):
        assert list(islice(hybrid_ranker(*map(Fixed, made))(ASKED), count)) == whole[:count]


def test_few_passages_need_little_of_each_ranking():
    sources = Fixed(range(1, 5001)), Fixed(range(1, 5001))
    assert list(islice(hybrid_ranker(*sources)(ASKED), 3)) == [4999, 4998, 4997]
    assert max(source.read for source in sources) <= 101


def test_a_passage_without_a_word_of_the_question_has_no_rank_by_words():
    assert list(hybrid_ranker(Fixed([0.0, 0.0, 0.0]), Fixed([1.0, 3.0, 2.0]))(ASKED)) == [1, 2, 0]


def test_a_fusion_prefers_what_both_rankings_have():
    assert fused([[7, 1, 2], [3, 1, 9]])[0] == 1
    assert fused([[5, 4], [4, 5]]) == [4, 5]


def test_hybrid_needs_both_searches():
    assert searches({"hybrid"}) == {"bm25", "dense"} == searches({"hybrid", "bm25"})
    assert searches({"random", "dense"}) == {"random", "dense"}
