"""A whole study that chooses its learning rate: the choice, the report, and what reads the chosen weights."""

import json
from pathlib import Path

import pytest

from raft_exp.apps.report.rescore import make_again
from raft_exp.pipeline.run import FinishedRun
from raft_exp.reporting.runs import open_runs
from tests.helpers import small_study
from tests.helpers.stages import study_stages

pytestmark = pytest.mark.slow

RATES = ("1e-9", "2e-3")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    chosen = (f"selection.learning_rates=[{','.join(RATES)}]", "selection.max_items=4")
    light = ("model=tiny", "model.max_new_tokens=8", "evaluation.max_items=3")
    more = ("+selection.changes.allow_fewer=true", "evaluation.arms=[rag,sft_rag,raft]", *light)
    return small_study.make(tmp_path_factory.mktemp("fair_lr"), *chosen, *more)


def test_the_choice_stands_in_the_results_and_the_report_with_all_that_was_tried(run):
    selection = json.loads((run / "results.json").read_text())["selection"]
    assert list(selection) == ["closed_book", "raft"]
    for name, choice in selection.items():
        best = max(choice["candidates"], key=lambda candidate: (candidate["mean"], -candidate["value"]))
        assert (choice["chosen"], choice["value"]) == (best["name"], best["value"])
        assert [candidate["value"] for candidate in choice["candidates"]] == [float(rate) for rate in RATES]
        assert all(figure["n"] == 4 for candidate in choice["candidates"] for figure in candidate["arms"].values())
        assert json.loads((run / "selection" / f"{name}.json").read_text()) == choice
    for page in ("report.md", "report.html"):
        text = (run / page).read_text()
        assert "Chosen on validation questions" in text
        assert "1e-09" in text


def test_the_weights_of_an_arm_are_those_of_the_chosen_training(run):
    finished = FinishedRun(run)
    for arm, training in (("sft_rag", "closed_book"), ("raft", "raft")):
        rate = finished.learning_rate(arm)
        tried = finished.path(f"train[{training}@lr={rate:g}]")
        weights = finished.weights(arm)
        assert weights is not None
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            assert (weights.folder / name).read_bytes() == (tried / "adapter" / name).read_bytes()
        shown = run / "adapters" / training / "adapter_model.safetensors"
        assert shown.read_bytes() == (weights.folder / shown.name).read_bytes()
    assert sorted(folder.name for folder in (run / "adapters").iterdir()) == ["closed_book", "raft"]


def test_a_study_with_the_chosen_rate_reuses_the_training(run):
    finished = FinishedRun(run)
    rate = finished.learning_rate("raft")
    fixed = (*small_study.SMALL, "model=tiny", "model.max_new_tokens=8", f"+arms.raft.trainer.learning_rate={rate}")
    made = study_stages(run.parent / "store", *fixed)
    (training,) = (stage for stage in made if stage.label == "train[raft]")
    assert training.key == finished.completed(f"train[raft@lr={rate:g}]").key


def test_the_report_made_again_keeps_the_choice(run, tmp_path):
    before = json.loads((run / "results.json").read_text())
    make_again(open_runs([run])[0][0], tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["selection"] == before["selection"]
    assert "Chosen on validation questions" in (tmp_path / "report.md").read_text()
