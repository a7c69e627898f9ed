"""The published distractors of a question."""

from collections import Counter

import numpy as np

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage
from raft_exp.retrieval.given import given_ranker
from tests.helpers.embeddings import question


def test_given_passages_come_in_their_order_each_once_and_none_of_another_split(tmp_path):
    write_passages(tmp_path, [Passage(name, name, "", name, "", [name], "") for name in "abcdef"])
    rejected = Counter()
    rank = given_ranker(Passages(tmp_path), np.array([0, 2, 3, 5]), rejected)
    assert list(rank(question("q", given=["f", "b", "c", "f", "a"]))) == [5, 2, 0]
    assert rejected == {"of_another_split": 1}
    assert list(rank(question("q"))) == []
