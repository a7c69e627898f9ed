"""The dense source: the whole pool, best first, the same for a question in any company."""

from itertools import islice

import numpy as np
import pytest

from raft_exp.core.errors import DataError
from raft_exp.retrieval import dense
from raft_exp.retrieval.dense import INDEX, Dense
from raft_exp.retrieval.nearest import products
from raft_exp.retrieval.vector_index import build_index
from tests.helpers import embeddings as embedded


@pytest.fixture
def made(tmp_path):
    """Folders, vectors of 3000 passages, of 40 questions, the questions."""
    generator = np.random.default_rng(0)
    passages, asked = (generator.normal(size=(count, 16)).astype(np.float32) for count in (3000, 40))
    passages[100:200] = passages[0]  # a hundred copies
    questions = [embedded.question(f"q{number}") for number in range(40)]
    return embedded.write(tmp_path, passages, questions, asked), passages, asked, questions


def test_the_whole_pool_comes_once_best_first(made):
    folders, passages, asked, questions = made
    pool = np.arange(1, 3000, 2)
    source = Dense(folders, pool, lambda: questions)
    for row, question in enumerate(questions[:5]):
        found = list(source.ranked(question))
        scores = products(asked[row], passages, pool)
        assert [ordinal for ordinal, _ in found] == pool[np.argsort(-scores, kind="stable")].tolist()
        assert [score for _, score in found] == sorted(scores.tolist(), reverse=True)
        assert source.similarity(question, [7, 8]) == products(asked[row], passages, np.array([7, 8])).tolist()


def test_a_question_is_ranked_the_same_in_any_company(made, monkeypatch):
    folders, _, _, questions = made
    pool = np.arange(3000)
    together = Dense(folders, pool, lambda: questions)
    ranked = {each.id: list(islice(together.ranked(each), 50)) for each in questions}
    monkeypatch.setattr(dense, "_BLOCK", 3)
    some = Dense(folders, pool, lambda: questions[::2])
    for each in questions:  # every other one was not announced
        assert list(islice(some.ranked(each), 50)) == ranked[each.id]


def test_questions_are_searched_in_blocks(made, monkeypatch):
    folders, _, _, questions = made
    source = Dense(folders, np.arange(3000), lambda: questions)
    searches, best = [], source._exact.best

    def counted(queries, size):
        searches.append(len(queries))
        return best(queries, size)

    monkeypatch.setattr(source._exact, "best", counted)
    for each in questions:
        next(source.ranked(each))
    assert searches == [40]


def test_with_an_index_the_whole_pool_comes_once_too(made):
    pytest.importorskip("faiss")
    folders, passages, asked, questions = made
    build_index(passages, folders["passages"] / INDEX)
    pool = np.arange(0, 3000, 2)
    source = Dense(folders, pool, lambda: questions)
    for row, question in enumerate(questions[:5]):
        found = [ordinal for ordinal, _ in source.ranked(question)]
        assert sorted(found) == pool.tolist()
        best = pool[np.argsort(-products(asked[row], passages, pool), kind="stable")[:10]].tolist()
        assert len(set(found[:10]) & set(best)) >= 5


def test_a_question_without_a_vector_is_named(made):
    folders, _, _, questions = made
    with pytest.raises(DataError, match="question 'other' has no vector"):
        next(Dense(folders, np.arange(10), lambda: questions).ranked(embedded.question("other")))
