"""The index stage: once for a collection, in memory that does not grow with it."""

import json
import tracemalloc

import numpy as np
import pytest

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage, Question, read_jsonl
from raft_exp.retrieval import index_stage as index
from raft_exp.retrieval import word_index
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.index_stage import IndexStage
from tests.helpers import index as indexed
from tests.unit.dataset.test_stage import SMALL, rows, run

STAGE = IndexStage("bm25s")


def test_all_passages_are_indexed_whatever_the_parts(tmp_path, monkeypatch):
    retrieved = ("evaluation.context=retrieved", "evaluation.k=3")
    made = run(tmp_path / "store", *SMALL, *retrieved, only=["dataset[test]"])
    collection = Passages(made["ingest"])
    counts = json.loads((made["index"] / "counts.json").read_text())
    assert counts["passages"] == len(collection)
    whole = indexed.write(tmp_path, collection)
    monkeypatch.setattr(index, "_PART", 1000)
    (tmp_path / "parts").mkdir()
    index.index(STAGE, passages=made["ingest"], out=tmp_path / "parts")
    for file in whole.iterdir():
        assert file.read_bytes() == (made["index"] / file.name).read_bytes()
        assert file.read_bytes() == (tmp_path / "parts" / file.name).read_bytes()

    source = Bm25(whole, np.arange(len(collection)))
    questions = {each.id: each for each in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    for row in rows(made["dataset[test]"], "test"):
        best = [collection[ordinal].id for ordinal, _ in source.ranked(questions[row.id])][:3]
        assert [passage.id for passage in row.context] == best


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(word_index, "_CHUNK", 10_000)
    monkeypatch.setattr(index, "_PART", 20_000)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_collection(tmp_path, small_portions):
    """Of words that are all rare: the postings of one word are in memory together."""
    peaks = []
    word_index.tokens("what is imported at the first use is no matter of the collection")
    for count in (1000, 8000):
        collection, out = tmp_path / f"passages{count}", tmp_path / f"index{count}"
        collection.mkdir(), out.mkdir()
        generator = np.random.default_rng(0)
        texts = (" ".join(f"w{rank}" for rank in generator.integers(5000, size=20)) for _ in range(count))
        write_passages(collection, (Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(texts)))
        tracemalloc.start()
        index.index(STAGE, passages=collection, out=out)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
