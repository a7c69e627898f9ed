"""Learning rates chosen on validation questions: the stages, their order, and the studies that cannot choose."""

import pytest

from raft_exp.apps.experiments import with_experiment
from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.arm_settings import learning_rates
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.stage_settings import report_settings
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

GRID = "selection.learning_rates=[3e-3,3e-4]"
RATES = ["lr=0.0003", "lr=0.003"]


def test_each_training_is_tried_with_each_rate_and_the_test_is_asked_once():
    made = stages_of(GRID, "evaluation.arms=[rag,sft,sft_rag,raft]")
    assert [label for label in made if made[label].name in ("train", "select")] == [
        *(f"train[closed_book@{rate}]" for rate in RATES),
        *(f"train[raft@{rate}]" for rate in RATES),
        "select[closed_book]",
        "select[raft]",
    ]
    assert [label for label in made if label.startswith("evaluate[")] == [
        *(f"evaluate[{arm}@{rate}]" for rate in RATES for arm in ("sft", "sft_rag")),
        *(f"evaluate[raft@{rate}]" for rate in RATES),
        *(f"evaluate[{arm}]" for arm in ("rag", "sft", "sft_rag", "raft")),
    ]
    assert made["evaluate[raft]"].inputs["adapter"] is made["select[raft]"]
    answers = made["select[closed_book]"].inputs["answers"]
    assert isinstance(answers, dict)
    assert list(answers) == [f"{arm}@{rate}" for rate in RATES for arm in ("sft", "sft_rag")]


def test_the_grid_is_paired():
    """Candidates differ in the rate alone, and answer the same validation questions under the settings of the test."""
    made = stages_of(GRID)
    low, high = (made[f"train[raft@{rate}]"] for rate in RATES)
    assert (low.config.trainer.learning_rate, high.config.trainer.learning_rate) == (3e-4, 3e-3)
    assert low.inputs == high.inputs
    assert low.config.seed == high.config.seed
    test, validation = made["dataset[test]"].config, made["dataset[validation]"].config
    assert (validation.split, validation.max_items) == ("validation", 200)
    same = ("context", "num_distractors", "distractors", "retriever", "prompt", "prompt_mode", "window", "seed")
    assert all(getattr(test, name) == getattr(validation, name) for name in same)


@pytest.mark.parametrize(
    ("until", "last", "absent"),
    [
        ("dataset", "dataset[test]", "train[raft@lr=0.003]"),
        ("train", "train[raft@lr=0.003]", "evaluate[raft@lr=0.003]"),
        ("select", "select[raft]", "evaluate[raft]"),
        ("evaluate", "evaluate[raft]", "report"),
    ],
)
def test_until_includes_what_the_stage_reads(until, last, absent):
    made = stages_of(GRID, f"until={until}")
    assert list(made)[-1] == last
    assert absent not in made
    assert "dataset[validation]" in made


def test_validation_questions_are_drawn_before_a_teacher_is_paid():
    labels = list(stages_of(GRID))
    assert labels.index("dataset[validation]") < labels.index("targets")


def test_the_rates_of_trainer_and_arms_are_not_used():
    """Arms that differ in their own rate alone share the grid, and the report shows no rate that was not used."""
    own = (GRID, "+arms.sft.trainer.learning_rate=1e-4", "trainer.learning_rate=1e-2")
    assert {label: stage.key for label, stage in stages_of(*own).items()} == {
        label: stage.key for label, stage in stages_of(GRID).items()
    }
    settings = report_settings(parse(compose(*own)))
    trainer, selection = settings.settings["trainer"], settings.settings["selection"]
    assert isinstance(trainer, dict)
    assert "learning_rate" not in trainer
    assert "arms" not in settings.settings
    assert isinstance(selection, dict)
    assert selection["learning_rates"] == [3e-3, 3e-4]


def test_arms_with_other_changes_have_a_grid_of_their_own():
    made = stages_of(GRID, "+arms.sft.trainer.max_epochs=2")
    assert [label for label in made if label.startswith("select[")] == [
        "select[sft]",
        "select[closed_book]",
        "select[raft]",
    ]
    assert made["train[sft@lr=0.003]"].config.trainer.max_epochs == 2


@pytest.mark.parametrize(
    ("overrides", "rates"),
    [
        (("model=qwen2_5_3b",), [4.99e-5, 1.5e-4, 4.99e-4, 1.5e-3, 4.99e-3]),
        (("model=qwen2_5_3b", "lora=full"), [4.99e-6, 1.5e-5, 4.99e-5, 1.5e-4, 4.99e-4]),
        (("model=tiny", "trainer.learning_rate=1e-3"), [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
        (("model=pocket", "trainer.learning_rate=5e-3"), [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
    ],
)
def test_auto_is_five_rates_around_the_one_that_suits_the_model(overrides, rates):
    config = parse(compose("selection.learning_rates=auto", *overrides))
    assert learning_rates(config, "raft") == pytest.approx(rates, rel=2e-3)


def test_the_metric_of_the_choice_is_the_primary_one_where_the_arms_have_it():
    hotpotqa = ("+experiment=hotpotqa", GRID, "corpus.validation=0.1", "evaluation.arms=[sft,raft]")
    made = stages_of(*hotpotqa, "evaluation.primary.metric=f1")
    assert {made[label].config.metric for label in ("select[closed_book]", "select[raft]")} == {"f1"}
    made = stages_of(
        *hotpotqa[:3],
        "evaluation.arms=[sft,rag_cot,raft]",
        "evaluation.primary={metric:joint_f1,arm:raft,against:rag_cot}",
        "+arms.rag_cot={recipe:none,context:passages,cot:true,adapter:null,dataset:{}}",
    )
    assert made["select[closed_book]"].config.metric == "exact_match"
    assert made["select[raft]"].config.metric == "joint_f1"
    assert {"passages", "questions"} <= set(made["select[raft]"].inputs)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            (GRID, "evaluation.split=validation"),
            r"evaluation\.split: got 'validation', but selection\.learning_rates",
        ),
        ((GRID, "corpus.validation=0"), r"corpus\.validation: got 0.*use a share"),
        ((GRID, "evaluation.arms=[base,rag]"), r"selection\.learning_rates: got .* no arm of evaluation\.arms"),
        (("selection.learning_rates=[1e-3]",), r"selection\.learning_rates: got \[0\.001\]; give two or more"),
        (("selection.learning_rates=[1e-3,1e-3]",), r"give two or more rates, all different"),
        (("selection.learning_rates=[]",), r"give two or more rates, all different"),
        (("selection.learning_rates=[1e-3,-1]",), r"selection\.learning_rates.* greater than 0"),
        ((GRID, "+selection.changes.p=1"), r"selection\.changes: got 'p'"),
        ((GRID, "+selection.changes.k=3"), r"selection\.changes: got 'k', which has no effect with context"),
    ],
)
def test_studies_that_cannot_choose_are_refused_in_one_line(overrides, message):
    with pytest.raises(ConfigError, match=message) as refused:
        parse(compose(*overrides))
    assert "\n" not in str(refused.value)


def test_validation_questions_may_have_another_context():
    made = stages_of(GRID, "evaluation.context=given", "+selection.changes.context=gold_and_distractors")
    assert made["dataset[test]"].config.context == "given"
    assert made["dataset[validation]"].config.context == "gold_and_distractors"


@pytest.mark.parametrize(
    ("arguments", "completed"),
    [
        (["+experiment=fair_lr", "seed=1"], ["+experiment=[quickstart,fair_lr]", "seed=1"]),
        (["seed=1", "+experiment=[fair_lr]"], ["+experiment=[quickstart,fair_lr]", "seed=1"]),
        (["+experiment=[pubmedqa,fair_lr]"], ["+experiment=[pubmedqa,fair_lr]"]),
        (["-m", "seed=1,2"], ["-m", "+experiment=quickstart", "seed=1,2"]),
    ],
)
def test_an_experiment_that_changes_others_changes_the_embedded_study_alone(arguments, completed):
    assert with_experiment(arguments) == completed


def test_today_s_studies_have_no_stage_and_no_input_of_a_selection():
    made = stages_of()
    assert not [label for label in made if "select" in label or "validation" in label or "@" in label]
    assert "choices" not in made["report"].inputs


def test_changes_for_validation_questions_hinder_no_study_that_chooses_nothing():
    assert parse(compose("+selection.changes.k=3"))
