"""Conditions without gold and their partners, token probabilities, and the shipped arms and settings for them."""

import pytest
from hydra.core.plugins import Plugins

from raft_exp.apps.cli import OwnConf
from raft_exp.apps.experiments import with_experiment
from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.conditions import without_gold
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

STUDY = ("+experiment=quickstart", "evaluation.arms=[rag,raft]", "evaluation.conditions=null")
NONE = "{context: gold_and_distractors, without_gold: true}"


@pytest.mark.parametrize(
    ("conditions", "more", "pairs"),
    [
        (f"none: {NONE}", (), {"none": "test"}),
        ("none: {num_distractors: 4, without_gold: true}", (), {"none": ""}),
        ("none: {num_distractors: 4, without_gold: true}, k4: {num_distractors: 4}", (), {"none": "k4"}),
        (f"none: {NONE}, k2: {{context: gold_and_distractors}}", ("evaluation.context=retrieved",), {"none": "k2"}),
        (f"none: {NONE}", ("evaluation.context=retrieved",), {"none": ""}),
        (f"none: {NONE}, first: {{gold_at: 0}}", (), {"none": "test"}),
        ("k4: {num_distractors: 4}", (), {}),
        ("none: {without_gold: true, conflict: false}", ("evaluation.conflict=true",), {"none": ""}),
    ],
)
def test_a_condition_without_gold_is_paired_with_the_test_of_equal_contexts(conditions, more, pairs):
    names = (
        "+experiment=quickstart",
        "evaluation.arms=[rag]",
        "~evaluation.conditions.k0",
        "~evaluation.conditions.k4",
    )
    assert without_gold(parse(compose(*names, f"+evaluation.conditions={{{conditions}}}", *more))) == pairs


def test_the_shipped_evaluations():
    names = ("+experiment=quickstart", "evaluation.arms=[rag,raft,raft_abstain]")
    found = stages_of(*names, "evaluation=abstention")
    assert found["report"].config.without_gold == {"no_gold": "test"}
    assert found["evaluate[raft_abstain@no_gold]"].config.token_probabilities
    assert found["dataset[raft_abstain]"].config.dataset.refuse_share == 1
    assert found["dataset[test@no_gold]"].config.without_gold
    conflict = stages_of(*names, "evaluation=conflict")
    assert conflict["dataset[test@conflict]"].config.conflict
    assert not conflict["evaluate[raft]"].config.token_probabilities
    assert stages_of("+experiment=quickstart", "evaluation=robustness")["report"].config.without_gold == {
        "no_gold": "test"
    }


def test_the_dose_changes_the_raft_set_alone():
    doses = {
        share: stages_of("+experiment=[quickstart,abstention]", f"dataset.refuse_share={share}")
        for share in (0, 0.5, 1)
    }
    keys = {share: {label: stage.key for label, stage in stages.items()} for share, stages in doses.items()}
    changed = {label for label in keys[0] if len({of_dose[label] for of_dose in keys.values()}) == 3}
    assert {"dataset[raft]", "train[raft]", "evaluate[raft]", "evaluate[raft@no_gold]", "report"} <= changed
    assert not {"targets", "dataset[test]", "dataset[test@no_gold]", "evaluate[rag]", "evaluate[rag@no_gold]"} & changed
    plain = stages_of("+experiment=quickstart", "evaluation.arms=[rag,raft]")
    assert plain["train[raft]"].key == keys[0]["train[raft]"], "the dose 0 is the study's own raft"


@pytest.mark.parametrize("name", ["refusal_f1", "follows_false_passage"])
def test_metrics_that_are_reported_by_themselves_cannot_be_named(name):
    with pytest.raises(ConfigError, match=rf"^evaluation\.metrics: got '{name}', which is always reported in "):
        parse(compose(*STUDY, f"evaluation.metrics=[{name}]"))


def test_an_arm_without_rows_that_refuse_is_refused():
    with pytest.raises(ConfigError, match=r"^arms\.raft_abstain\.dataset\.refuse_share: got 1, but with dataset\.p=1"):
        stages_of("+experiment=quickstart", "evaluation.arms=[rag,raft_abstain]", "dataset.p=1")


def test_the_experiment_stands_on_the_embedded_study_or_on_another_one():
    assert with_experiment(["+experiment=abstention", "seed=1"]) == ["+experiment=[quickstart,abstention]", "seed=1"]
    assert with_experiment(["+experiment=[pubmedqa,abstention]"]) == ["+experiment=[pubmedqa,abstention]"]


@pytest.mark.parametrize(("more", "changes"), [("# @changes study\n", True), ("", False)])
def test_a_file_of_the_users_says_itself_that_it_changes_a_study(more, changes, tmp_path, monkeypatch):
    (tmp_path / "conf/experiment").mkdir(parents=True)
    file = tmp_path / "conf/experiment/six.yaml"
    file.write_text(f"# @package _global_\n\n{more}# Six.\ndataset:\n  num_distractors: 6\n")
    monkeypatch.chdir(tmp_path)
    Plugins.instance().register(OwnConf)
    experiment = "+experiment=[quickstart,six]" if changes else "+experiment=six"
    assert with_experiment(["+experiment=six", "seed=1"]) == [experiment, "seed=1"]
    assert compose(experiment, own=tmp_path / "conf")["dataset"]["num_distractors"] == 6
    monkeypatch.chdir(tmp_path / "conf")
    for option in (["--config-dir", str(tmp_path / "conf")], [f"--config-dir={tmp_path / 'conf'}"]):
        assert experiment in with_experiment([*option, "+experiment=six"])
