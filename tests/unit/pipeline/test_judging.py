"""The stages of a judge in a study, and what is refused before anything is paid."""

import json
from dataclasses import replace
from functools import cache

import pytest

from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.core.schema import identity
from raft_exp.core.stage import Stage
from raft_exp.pipeline.estimate import ExpectedSeconds
from raft_exp.pipeline.judge_requests import judge_estimate
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.requirements import check_requirements
from raft_exp.pipeline.store import Store
from raft_exp.tasks.model import Prices
from tests.helpers.composing import compose
from tests.helpers.scripted_judge import shipped
from tests.helpers.stages import stages_of

STUDY = ("+experiment=quickstart", "evaluation.arms=[base,rag,raft]", "evaluation.conditions=null")
JUDGE = (*STUDY, "judge@evaluation.judge=openai")


def judging(*overrides: str) -> dict[str, Stage]:
    return {label: stage for label, stage in made(*overrides).items() if stage.name in ("judge", "judge_pairs")}


@cache
def made(*overrides: str) -> dict[str, Stage]:
    return stages_of(*overrides)


def test_a_judge_adds_its_stages_and_changes_no_other_key_but_the_reports():
    plain, judged = made(*STUDY), made(*JUDGE)
    labels = {"judge[base]", "judge[rag]", "judge[raft]", "judge_pairs[raft|base]", "judge_pairs[raft|rag]"}
    assert set(judged) - set(plain) == labels
    assert {label for label in plain if plain[label].key != judged[label].key} == {"report"}


def test_no_setting_of_a_stage_names_an_arm_and_their_order_is_not_that_of_the_arms():
    stages = judging(*JUDGE)
    for stage in stages.values():
        settings = json.dumps({name: one for name, one in identity(stage.config).items() if name != "judge"})
        assert not any(arm in settings for arm in ("base", "rag", "raft")), settings
    orders = {
        tuple(label for label in judging(*JUDGE, f"evaluation.arms={arms}") if "pairs" not in label)
        for arms in ("[base,rag,raft]", "[raft,rag,base]")
    }
    assert len(orders) == 1


def test_a_changed_pair_task_judges_no_reply_again():
    changed = judging(*JUDGE, "evaluation.judge.pair.version=2")
    before = judging(*JUDGE)
    again = {label for label, stage in changed.items() if stage.key != before[label].key}
    assert again == {"judge_pairs[raft|base]", "judge_pairs[raft|rag]"}
    alone = judging(*JUDGE, "evaluation.judge.pair=null", "evaluation.judge.tasks.complete=null")
    assert set(alone) == {"judge[base]", "judge[rag]", "judge[raft]"}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("evaluation.judge.max_cost=1.0", "evaluation.judge.max_cost: got 1, but evaluation.judge.prices is null"),
        ("evaluation.judge.tasks.correct.reply=grade", 'evaluation.judge.tasks.correct.reply: got .grade.*"verdict"'),
        ("evaluation.judge.tasks.correct.prompt='{{ a'", r"task judge_correct: prompt is not a valid Jinja template"),
        ("evaluation.judge.base_url='https://a@b/v1'", r"^evaluation\.judge\.base_url: contains a user name"),
        ("+evaluation.judge.tasks.mine={name: x}", r"evaluation\.judge\.tasks\.mine\.\w+: has no value"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(setting, told):
    with pytest.raises(ConfigError, match=told):
        parse(compose(*JUDGE, setting))


def test_the_name_of_a_judge_alone_and_a_judge_without_a_task_are_refused():
    values = compose(*STUDY)
    values["evaluation"]["judge"] = "openai"
    with pytest.raises(ConfigError, match=r"evaluation\.judge: got 'openai', a name without settings"):
        parse(values)
    none = (*(f"evaluation.judge.tasks.{name}=null" for name in shipped().tasks), "evaluation.judge.pair=null")
    with pytest.raises(ConfigError, match=r"^evaluation\.judge\.tasks: names no task"):
        parse(compose(*JUDGE, *none))
    with pytest.raises(ConfigError, match=r"^evaluation\.judge\.tasks: got 'pair', which is the name of"):
        parse(compose(*JUDGE, "+task@evaluation.judge.tasks.pair=judge_correct"))


def test_a_missing_key_or_package_ends_the_study_before_any_stage(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"^evaluation\.judge\.api_key_env: "):
        check_requirements(list(judging(*JUDGE).values()))
    monkeypatch.setattr("raft_exp.pipeline.requirements.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"^evaluation\.judge: got 'vllm', which is not installed"):
        check_requirements(list(judging(*STUDY, "judge@evaluation.judge=vllm").values()))


def test_a_judge_needs_its_key_before_the_replies_that_it_judges_are_generated(tmp_path, monkeypatch):
    """Replies of the judge from another study say nothing about those that this study needs."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / f"{shipped().model}.jsonl").write_text("{}\n")
    study = (*JUDGE, f"evaluation.judge.ledger={tmp_path}")
    check_requirements(list(judging(*study).values()))
    with pytest.raises(ConfigError, match=r"^evaluation\.judge\.api_key_env: "):
        check_requirements(list(made(*study).values()))


def test_a_local_judge_runs_in_a_process_of_its_own_unless_it_needs_no_gpu():
    processes = {stage.process for stage in judging(*STUDY, "judge@evaluation.judge=transformers").values()}
    gpu = ("judge@evaluation.judge=transformers", "evaluation.judge.engine.accelerator=auto")
    (process,) = {stage.process for stage in judging(*STUDY, *gpu).values()}
    assert processes == {None}
    assert process is not None
    assert process.startswith("judge ")


def test_a_plan_counts_requests_and_cost_before_anything_is_paid(tmp_path):
    stages = made(*JUDGE)
    expected = ExpectedSeconds(tmp_path)
    expected.items = lambda stage: 50  # type: ignore[method-assign]
    store = Store(str(tmp_path))
    estimate = judge_estimate(list(stages.values()), expected, store)
    assert estimate is not None
    assert estimate.requests == 50 * (3 * 2 + 2 * 1 + 2 * 2), (
        "correct and complete, supported, both orders of two pairs"
    )
    assert estimate.reply_tokens == 50 * (6 * 256 + 2 * 1024 + 4 * 256)
    assert "at most 600 requests to gpt-4.1-2025-04-14" in estimate.line()
    assert "cost unknown (set evaluation.judge.prices)" in estimate.line()
    priced = replace(shipped(), prices=Prices(1.0, 10.0))
    assert replace(estimate, judge=priced, prompt_tokens=1e6).cost() == pytest.approx((1.0, 1.0 + 0.2304 * 10))
    assert judge_estimate(list(made(*STUDY).values()), expected, store) is None
