"""Nearest vectors: what is found is a prefix of the true order, whatever stands beside a query."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.retrieval import nearest
from raft_exp.retrieval.nearest import Exact, Indexed, products
from raft_exp.retrieval.vector_index import build_index


def true_order(query: np.ndarray, vectors: np.ndarray, pool: np.ndarray) -> np.ndarray:
    return np.argsort(-products(query, vectors, pool), kind="stable")


def unit(generator: np.random.Generator, *shape: int) -> np.ndarray:
    made = generator.normal(size=shape).astype(np.float32)
    return made / np.linalg.norm(made, axis=-1, keepdims=True)


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 40), st.integers(1, 3), st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_is_found_is_the_beginning_of_the_true_order(seed, count, size, copies, wide):
    generator = np.random.default_rng(seed)
    vectors = generator.choice(unit(generator, count, 8), count * copies)  # equal vectors, many of them
    pool = np.flatnonzero(generator.random(len(vectors)) < 0.7)
    queries = unit(generator, 3, 8) * (100 if wide else 1)
    if not len(pool):
        return
    for query, (places, scores) in zip(queries, Exact(vectors, pool).best(queries, size), strict=True):
        wanted = true_order(query, vectors, pool)
        assert places.tolist() == wanted[: len(places)].tolist()
        assert scores.tolist() == products(query, vectors, pool[places]).tolist()
        assert len(places) == len(pool) if size >= len(pool) else len(places) <= size


def test_nearly_all_of_what_is_asked_for_is_certain_where_vectors_differ():
    generator = np.random.default_rng(0)
    vectors, queries = unit(generator, 20_000, 64), unit(generator, 50, 64)
    found = Exact(vectors, np.arange(20_000)).best(queries, 32)
    assert min(len(places) for places, _ in found) >= 28


def test_neighbours_do_not_depend_on_the_company_or_the_chunks(monkeypatch):
    generator = np.random.default_rng(1)
    vectors, queries, pool = unit(generator, 5000, 32), unit(generator, 40, 32), np.arange(0, 5000, 2)
    together = Exact(vectors, pool).best(queries, 20)
    monkeypatch.setattr(nearest, "CHUNK", 333)
    for query, (places, scores) in zip(queries, together, strict=True):
        (alone,) = Exact(vectors, pool).best(query[None], 20)
        shared = min(len(places), len(alone[0]))
        assert shared > 15
        assert places[:shared].tolist() == alone[0][:shared].tolist()
        assert scores[:shared].tolist() == alone[1][:shared].tolist()


@pytest.mark.parametrize("columns", [10, 64, 1000, 1024, 4097])
def test_the_best_by_groups_are_the_best(columns):
    import torch

    scores = torch.randn(20, columns, generator=torch.Generator().manual_seed(0))
    wanted, where = scores.topk(min(7, columns))
    found, places = nearest._top(scores, 7)
    assert torch.equal(found, wanted)
    assert torch.equal(places, where)
    above, places = nearest._top(scores, 7, lowest=wanted[:, 2:3])  # all but two are known not to count
    assert torch.equal(above[:, :2], wanted[:, :2])
    assert torch.equal(places[:, :2], where[:, :2])


@pytest.mark.parametrize("mapped", [2**30, 1])
def test_an_index_finds_most_neighbours_and_only_those_of_the_pool(tmp_path, monkeypatch, mapped):
    pytest.importorskip("faiss")
    monkeypatch.setattr(nearest, "_MAPPED", mapped)  # with 1, each query opens the file again
    generator = np.random.default_rng(2)
    centres = unit(generator, 50, 32)
    vectors = centres[generator.integers(50, size=8000)] + 0.3 * unit(generator, 8000, 32)
    queries = centres[generator.integers(50, size=30)] + 0.3 * unit(generator, 30, 32)
    build_index(vectors, tmp_path / "index")
    pool = np.arange(0, 8000, 3)
    found = Indexed(vectors, pool, tmp_path / "index")
    shares = []
    for query, (places, scores) in zip(queries, found.best(queries, 20), strict=True):
        assert len(set(places.tolist())) == len(places) == 20
        assert scores.tolist() == sorted(products(query, vectors, pool[places]).tolist(), reverse=True)
        shares.append(len(set(places.tolist()) & set(true_order(query, vectors, pool)[:20].tolist())) / 20)
    assert np.mean(shares) > 0.9
