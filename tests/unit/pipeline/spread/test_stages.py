"""The stages that can be spread write the same bytes for every number of shards."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import write_passages
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Passage, write_jsonl
from raft_exp.core.shards import Shard
from raft_exp.evaluation.stage import evaluate
from raft_exp.models.cross_encoder import RerankConfig
from raft_exp.retrieval import embed_stage, index_stage, rerank_stage
from raft_exp.retrieval.embed_stage import EmbedStage, embed_passages, embed_questions
from raft_exp.retrieval.index_stage import IndexStage
from raft_exp.retrieval.rerank_stage import RerankStage
from tests.helpers import small_training as small
from tests.helpers.worlds import EXAMPLES, worlds

COUNTS = (1, 3, 7)


def in_shards(stage: Callable[..., None], count: int, config: Any, out: Path, **inputs: Path) -> dict[str, bytes]:
    """Computes all shards, joins them, and returns the files."""
    functions = stage.stage_spec.sharded  # type: ignore[attr-defined]
    folders = [out / f"{index} of {count}" for index in range(count)]
    for index, shard in enumerate(folders):
        shard.mkdir(parents=True)
        functions.compute(config, **inputs, shard=Shard(index, count), out=shard)
    (out / "joined").mkdir()
    functions.join(config, **inputs, shards=folders, out=out / "joined")
    return files(out / "joined")


def whole(stage: Callable[..., None], config: Any, out: Path, **inputs: Path) -> dict[str, bytes]:
    out.mkdir(parents=True)
    stage(config, **inputs, out=out)
    return files(out)


def files(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.iterdir() if file.name != "timings.json"}


@given(st.integers(0, 60), st.integers(1, 9))
def test_the_shards_of_a_table_are_its_rows_in_order(total, count):
    shards = [Shard(index, count) for index in range(count)]
    assert [row for shard in shards for row in shard.rows(total)] == list(range(total))
    assert [sum(shard.holds(row) for shard in shards) for row in range(total)] == [1] * total


def _lengths(config: Any) -> Callable[[list[str], str], np.ndarray]:
    """An encoder whose vectors depend on all texts of a call, as the last bits of real vectors do."""

    def encode(texts: list[str], prefix: str) -> np.ndarray:
        longest = max(map(len, texts))
        return np.array([[len(text), longest, len(texts)] for text in texts], dtype=np.float32) / 7

    return encode


@settings(max_examples=max(5, EXAMPLES // 5), deadline=None)
@given(worlds(), st.integers(1, 6))
def test_vectors_do_not_depend_on_the_number_of_shards(world, rows_of_a_slice):
    passages, questions = world
    config = EmbedStage(small.encoder_config(exact_up_to=1000))
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        room = Path(name)
        patch.setattr(embed_stage, "load", _lengths)
        patch.setattr(embed_stage, "_SLICE", rows_of_a_slice)
        (room / "passages").mkdir()
        write_passages(room / "passages", passages)
        (room / "questions").mkdir()
        write_jsonl(room / "questions" / "questions.jsonl", questions)
        for stage, kind in ((embed_passages, "passages"), (embed_questions, "questions")):
            inputs = {kind: room / kind}
            expected = whole(stage, config, room / "whole" / kind, **inputs)
            for count in COUNTS:
                assert in_shards(stage, count, config, room / f"{kind} in {count}", **inputs) == expected


@pytest.mark.slow
@settings(max_examples=max(5, EXAMPLES // 5), deadline=None)
@given(worlds(), st.integers(1, 400), st.booleans())
def test_an_index_does_not_depend_on_the_number_of_shards(world, bytes_of_a_part, any_language):
    passages, _ = world
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        patch.setattr(index_stage, "_PART", bytes_of_a_part)
        (Path(name) / "passages").mkdir()
        write_passages(Path(name) / "passages", passages, any_language)
        inputs = {"passages": Path(name) / "passages"}
        expected = whole(index_stage.index, IndexStage("bm25s"), Path(name) / "whole", **inputs)
        assert not [file for file in expected if file.startswith("part")]
        for count in COUNTS:
            assert (
                in_shards(index_stage.index, count, IndexStage("bm25s"), Path(name) / str(count), **inputs) == expected
            )


@settings(max_examples=max(5, EXAMPLES // 5), deadline=None)
@given(worlds(), st.integers(1, 4))
def test_rankings_do_not_depend_on_the_number_of_shards(world, most):
    passages, questions = world
    reranker = RerankConfig("made", k_first=5, accelerator="cpu")
    config = RerankStage("bm25", reranker, {"train": most, "test": None}, seed=0)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        room = Path(name)
        patch.setattr(rerank_stage, "load", lambda config: lambda question, texts: np.array([len(t) for t in texts]))
        for kind in ("passages", "questions", "indexed"):
            (room / kind).mkdir()
        write_passages(room / "passages", passages)
        write_jsonl(room / "questions" / "questions.jsonl", questions)
        index_stage.index(IndexStage("bm25s"), passages=room / "passages", out=room / "indexed")
        inputs = {kind: room / kind for kind in ("passages", "questions", "indexed")}
        expected = whole(rerank_stage.rerank, config, room / "whole", **inputs)
        for count in COUNTS:
            assert in_shards(rerank_stage.rerank, count, config, room / str(count), **inputs) == expected


def test_a_missing_faiss_is_named_before_any_vector(tmp_path, monkeypatch):
    def missing(package: str) -> None:
        raise ModelError(package)

    (tmp_path / "passages").mkdir()
    write_passages(tmp_path / "passages", [Passage(f"p{n}", "d", "", "text", "", ["text"], "") for n in range(3)])
    monkeypatch.setattr(embed_stage, "needs", missing)
    monkeypatch.setattr(embed_stage, "load", lambda config: pytest.fail("the encoder was loaded"))
    config = EmbedStage(small.encoder_config(exact_up_to=2))
    with pytest.raises(ModelError, match="faiss"):
        embed_stage.compute_passages(config, passages=tmp_path / "passages", shard=Shard(1, 2), out=tmp_path)


def test_no_question_is_no_vector(tmp_path, monkeypatch):
    (tmp_path / "questions").mkdir()
    write_jsonl(tmp_path / "questions" / "questions.jsonl", [])
    config, inputs = EmbedStage(small.encoder_config()), {"questions": tmp_path / "questions"}
    monkeypatch.setattr(embed_stage, "load", lambda config: lambda texts, prefix: np.zeros((len(texts), 3), np.float32))
    expected = whole(embed_questions, config, tmp_path / "whole", **inputs)
    assert in_shards(embed_questions, 3, config, tmp_path / "three", **inputs) == expected


@pytest.fixture(scope="module")
def test_rows(tmp_path_factory):
    return small.dataset(tmp_path_factory.mktemp("test"), train=0, validation=0, test=10)


@pytest.mark.slow
def test_answers_do_not_depend_on_the_number_of_shards(tmp_path, test_rows):
    config = small.evaluate_stage(engine=small.engine_config(batch_tokens=700), token_probabilities=True)
    expected = whole(evaluate, config, tmp_path / "whole", test=test_rows)
    for count in COUNTS:
        found = in_shards(evaluate, count, config, tmp_path / str(count), test=test_rows)
        assert found == expected, count
        timings = json.loads((tmp_path / str(count) / "joined" / "timings.json").read_text())
        assert timings["answers"] == 10


def test_every_shard_has_answers_and_no_answer_is_in_two(tmp_path, test_rows):
    config = small.evaluate_stage(engine=small.engine_config(batch_tokens=700))
    in_shards(evaluate, 3, config, tmp_path, test=test_rows)
    shards = [(tmp_path / f"{index} of 3" / "answers.jsonl").read_text().splitlines() for index in range(3)]
    ids = [json.loads(line)["id"] for shard in shards for line in shard]
    assert all(shards)
    assert sorted(ids) == sorted(set(ids))
