"""The index on disk: bm25s's scores, whatever was in memory at a time."""

import warnings
from typing import Any

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.retrieval import word_index
from raft_exp.retrieval.word_index import HOLDERS, LENGTHS, SCORES, STARTS, WORDS, Postings

FILES = {WORDS, STARTS, HOLDERS, SCORES, LENGTHS}
words = st.sampled_from(["mill", "river", "town", "Velmor", "1802", "the", "of", "a", "ß", "İ"]) | st.text(max_size=6)
texts = st.lists(st.lists(words, max_size=12).map(" ".join), min_size=1, max_size=20)


def peer(made: list[str]) -> Any:
    """bm25s's own index; None where there is no word, which it refuses."""
    split = bm25s.tokenize(made, stopwords="en", return_ids=False, show_progress=False)
    if not any(split):
        return None
    index: Any = bm25s.BM25()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index.index([list(each) for each in split], show_progress=False)
    return index


@pytest.mark.slow
@given(texts, st.lists(words, max_size=8).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_scores_are_those_of_bm25s_to_the_bit(tmp_path_factory, made, question):
    folder = tmp_path_factory.mktemp("index")
    counts = word_index.write(folder, made)
    index, asked = peer(made), word_index.tokens(question)
    wanted = index.get_scores(asked) if index and index.get_tokens_ids(asked) else np.zeros(len(made))
    assert Postings(folder).scores(question).tolist() == wanted.tolist()
    assert counts["passages"] == len(made)
    assert {file.name for file in folder.iterdir()} == FILES


@pytest.fixture(scope="module")
def collection():
    """2,000 texts of words that are as unevenly frequent as a language's, some texts empty."""
    generator = np.random.default_rng(0)
    vocabulary = np.array([f"word{number}" for number in range(3000)])
    lengths = generator.integers(0, 60, size=2000)
    return [" ".join(vocabulary[np.minimum(generator.zipf(1.3, size), 3000) - 1]) for size in lengths]


@pytest.mark.slow
def test_the_bytes_depend_on_neither_the_parts_nor_the_chunks(tmp_path, collection, monkeypatch):
    made = []
    tried = [
        (1, 10**9, 10**9, 10**9),
        (1, 1, 10**6, 999),
        (13, 999, 50, 7),
        (3, 10**6, 999, 400),
        (2000, 50_000, 1, 10),
    ]
    for number, (parts, chunk, most, block) in enumerate(tried):
        monkeypatch.setattr(word_index, "_CHUNK", chunk)
        monkeypatch.setattr(word_index, "_MOST", most)  # a word with more postings is written in several runs
        monkeypatch.setattr(word_index, "_BLOCK", block)
        folder = tmp_path / str(number)
        folder.mkdir()
        counts = word_index.write(folder, iter(collection), parts)
        made.append({file.name: file.read_bytes() for file in folder.iterdir()})
        assert made[0] == made[-1]
    assert set(made[0]) == FILES
    assert counts == {"passages": 2000, "words": len(peer(collection).vocab_dict) - 1, "postings": counts["postings"]}


@pytest.mark.slow
@pytest.mark.parametrize("block", [7, 2**20])
def test_scores_of_a_larger_collection_are_those_of_bm25s_to_the_bit(tmp_path, collection, monkeypatch, block):
    monkeypatch.setattr(word_index, "_BLOCK", block)
    word_index.write(tmp_path, collection, 5)
    found, index = Postings(tmp_path), peer(collection)
    generator = np.random.default_rng(1)
    for _ in range(200):
        question = " ".join(f"word{number}" for number in generator.zipf(1.2, 6))
        wanted = index.get_scores(word_index.tokens(question))
        assert wanted.any()
        assert found.scores(question).tolist() == wanted.tolist()


def test_a_question_without_a_known_word_scores_nothing(tmp_path):
    word_index.write(tmp_path, ["the mill", "of the"])
    for question in ("", "the of", "river", "?!"):
        assert Postings(tmp_path).scores(question).tolist() == [0, 0]
