"""Rows whose search for passages is spread have the bytes of one process."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import Question
from raft_exp.core.shards import Shard
from raft_exp.core.stage import Stage
from raft_exp.dataset.found import FOUND, found_ranker
from raft_exp.pipeline.spread.shard_stage import joined, shard_of, sharded
from raft_exp.pipeline.store import Store
from raft_exp.retrieval import embed_stage
from tests.helpers.stages import run, stages_of, study_stages

SMALL = (
    "model=pocket",
    "corpus.num_entities=60",
    "corpus.validation=0.2",
    "dataset.p=0.6",
    "dataset.num_distractors={min:1,max:3}",
    "evaluation.arms=[rag,raft]",
    "encoder.exact_up_to=1000000",
)
STUDIES = {
    "bm25": ("dataset.distractors=bm25", "dataset.relative_margin=0.3", "evaluation.distractors=bm25"),
    "dense": ("dataset.distractors=dense", "dataset.max_items=50", "evaluation.distractors=hybrid"),
    "mixed": (
        "dataset.distractors=mixed",
        "dataset.mixed={bm25:0.5,random:0.5}",
        "dataset.conflict_share=0.5",
        "dataset.partial_gold=true",
        "evaluation.distractors=bm25",
        "+evaluation.conditions={whole:{allow_cut:false},false:{conflict:true}}",
    ),
    "retrieved": (
        "dataset.context=retrieved",
        "dataset.refuse_share=0.5",
        "retriever.k=2",
        "evaluation.context=retrieved",
        "+evaluation.conditions={alone:{context:gold_and_distractors,without_gold:true,distractors:bm25}}",
    ),
}


def encoder(config: object) -> object:
    """An encoder whose vectors count letters."""

    def encode(texts: list[str], prefix: str) -> np.ndarray:
        return np.array([[text.count(letter) + 1 for letter in "aeiourst"] for text in texts], dtype=np.float32)

    return encode


def in_shards(store: Store, stage: Stage, count: int, out: Path) -> dict[str, bytes]:
    """Computes the shards of a stage in the store, joins them, and returns the files."""
    functions = sharded(stage)
    assert functions is not None
    shards = [shard_of(stage, functions, Shard(index, count)) for index in range(count)]
    folders = [store.ensure(shard, store.call).path for shard in shards]
    out.mkdir(parents=True)
    store.call(joined(stage, functions, folders), out)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "manifest.json"}


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_rows_do_not_depend_on_the_number_of_shards(tmp_path, monkeypatch, study):
    monkeypatch.setattr(embed_stage, "load", encoder)
    made, store = run(tmp_path, *SMALL, *STUDIES[study]), Store(tmp_path)
    stages = [stage for stage in study_stages(tmp_path, *SMALL, *STUDIES[study]) if stage.label in made]
    rows = [stage for stage in stages if stage.name == "dataset" and sharded(stage)]
    assert {"dataset[raft]", "dataset[test]"} <= {stage.label for stage in rows}
    for stage in rows:
        expected = files(made[stage.label])
        for count in (1, 3, 7):
            found = in_shards(store, stage, count, tmp_path / "joined" / f"{stage.part} {count}")
            assert found == expected, (stage.label, count)


def test_rejected_passages_are_counted_in_shards(tmp_path):
    study = (*SMALL, *STUDIES["bm25"])
    audit = json.loads((run(tmp_path, *study, only=["dataset[raft]"])["dataset[raft]"] / "audit.json").read_text())
    assert len(audit["passed_over"]) > 1, "the test above compares several rules"


@pytest.mark.slow
def test_a_shard_goes_on_after_its_last_question(tmp_path):
    study = (*SMALL, *STUDIES["bm25"])
    run(tmp_path, *study, only=["dataset[raft]"])
    store, stages = Store(tmp_path), study_stages(tmp_path, *study)
    stage = next(stage for stage in stages if stage.label == "dataset[raft]")
    functions = sharded(stage)
    assert functions is not None
    shard = shard_of(stage, functions, Shard(0, 2))
    assert shard.resumable
    expected = (store.ensure(shard, store.call).path / FOUND).read_bytes()
    first, *_ = expected.splitlines(keepends=True)
    partial = store.path(shard).with_suffix(".partial")
    store.path(shard).rename(partial)
    (partial / "manifest.json").unlink()
    marked = first.replace(b'"passages":[', b'"passages":[7,')
    (partial / FOUND).write_bytes(marked + b'{"id":"cut off')
    again = (store.ensure(shard, store.call).path / FOUND).read_bytes()
    assert again == expected.replace(first, marked), "the first question is not searched for again"


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("dataset.context=retrieved", "evaluation.context=retrieved", "reranker@retriever.rerank=minilm"),
        ("dataset.mixed={bm25:0,random:1}", "dataset.distractors=mixed"),
    ],
)
def test_rows_without_a_search_are_made_in_one_process(overrides):
    stages = stages_of(*SMALL, *overrides)
    spread = {label for label, stage in stages.items() if stage.name == "dataset" and sharded(stage)}
    assert spread == ({"dataset[raft]"} if "dataset.context=retrieved" in overrides else set())


def test_too_few_distractors_of_a_shard_are_counted_over_all_questions(tmp_path):
    study = (*SMALL, *STUDIES["bm25"])
    made = run(tmp_path, *study, only=["dataset[test]"])
    (stage,) = (stage for stage in study_stages(tmp_path, *study) if stage.label == "dataset[test]")
    functions = sharded(stage)
    assert functions is not None
    folders = {name: made[other.label] for name, other in stage.inputs.items() if isinstance(other, Stage)}
    config = replace(stage.config, num_distractors=999, allow_fewer=False)
    messages = []
    computed: list[Callable[..., None]] = [stage.function, partial(functions.compute, shard=Shard(0, 3))]
    for function in computed:
        with pytest.raises(DataError, match=r"and \d+ of \d+ test questions have too few") as error:
            function(config, **folders, out=tmp_path)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_the_key_does_not_depend_on_spread():
    study = (*SMALL, *STUDIES["bm25"])
    keys = [stages_of(*study, *more)["dataset[raft]"].key for more in ((), ("spread.tasks=3",))]
    assert keys[0] == keys[1]


def test_a_question_that_no_shard_has_is_named(tmp_path):
    (tmp_path / FOUND).write_text('{"id": "a", "passages": [1], "rejected": {}}\n')
    rank = found_ranker([tmp_path], rejected := Counter[str]())
    assert [*rank(Question("a", "", [], [], "train"))] == [1]
    assert not rejected
    with pytest.raises(DataError, match="question 'b': no task searched for its passages"):
        rank(Question("b", "", [], [], "train"))
