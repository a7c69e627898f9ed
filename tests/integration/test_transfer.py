"""A whole small study that is measured on another corpus and on general text: its files, and its report made again."""

import json
import math
import shutil
from pathlib import Path

import pytest

from raft_exp.apps.report.rescore import make_again
from raft_exp.core.records import read_rows
from raft_exp.reporting.runs import open_runs
from tests.helpers import small_study

pytestmark = pytest.mark.slow

WORLD = (
    "evaluation.transfer={other: {name: almanac, world_seed: 7, num_entities: 40, evaluation: {num_distractors: 1}}}"
)
MEASURED = ("evaluation.arms=[base,rag,sft,raft]", "evaluation.transfer_items=5", "evaluation.kl=true", "model=tiny")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    more = ("model.max_new_tokens=8", "evaluation.max_items=4", "trainer.learning_rate=1e-2")
    return small_study.make(tmp_path_factory.mktemp("transfer"), WORLD, *MEASURED, *more)


def test_the_report_has_the_figures_of_the_other_corpus_and_of_general_text(run):
    results = json.loads((run / "results.json").read_text())
    other = results["transfer"]["other"]
    assert (other["corpus"], other["n"]) == ("almanac", 5)
    assert list(other["arms"]) == ["base", "rag", "sft", "raft"]
    pairs = {(row["a"], row["b"]) for row in other["comparisons"]}
    assert pairs == {("sft", "base"), ("raft", "rag")}
    assert list(results["kl"]) == ["sft", "raft"]
    for figures in results["kl"].values():
        assert figures["kl"] > 0, "two steps have moved the weights"
        assert figures["tokens"] > 2000
        assert math.isclose(figures["base_loss"], results["kl"]["raft"]["base_loss"])
    assert "What it cost elsewhere" in (run / "report.md").read_text()


def test_every_arm_answers_the_same_questions_of_the_other_corpus(run):
    rows = {arm: list(read_rows(run / "transfer" / "other" / f"{arm}.jsonl")) for arm in ("base", "rag", "sft", "raft")}
    asked = [row["id"] for row in read_rows(run / "dataset" / "transfer@other.jsonl")]
    assert all([row["id"] for row in of_arm] == asked for of_arm in rows.values())
    own = {row["question"] for row in read_rows(run / "dataset" / "test.jsonl")}
    assert own.isdisjoint(row["question"] for row in rows["raft"])
    assert [row["context"] for row in rows["rag"]] == [row["context"] for row in rows["raft"]]
    assert all(len(row["context"]) == 2 for row in rows["rag"] if len([p for p in row["context"] if p["gold"]]) == 1)
    assert all(row["context"] == [] for row in rows["sft"])
    assert json.loads((run / "transfer" / "other" / "transfer.json").read_text())["n"] == 5


def test_the_report_is_made_again_with_and_without_the_store(run, tmp_path):
    before = json.loads((run / "results.json").read_text())
    kept = tmp_path / "kept"
    shutil.copytree(run, kept)
    for place in (run, kept):
        (found,), _ = open_runs([place])
        out = tmp_path / place.name / "again"
        make_again(found, out)
        again = json.loads((out / "results.json").read_text())
        assert again["transfer"] == before["transfer"]
        assert again["kl"] == before["kl"]
        shutil.rmtree(run.parent / "store", ignore_errors=True)
