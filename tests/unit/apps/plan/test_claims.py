"""Questions for each claim: from the settings, from the store, and from the replies of a run."""

import json

import pytest

from raft_exp.apps.plan.claims import claims, planned_questions
from raft_exp.apps.plan.figures import LeftOut
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.statistics import compare, generator, power
from raft_exp.pipeline.build import build
from raft_exp.pipeline.estimate import ExpectedSeconds
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from tests.helpers.composing import compose


@pytest.fixture
def study(tmp_path):
    """A study of settings, with the store in `tmp_path`."""

    def make(*overrides, run=None):
        config = parse(compose("+experiment=quickstart", *overrides, f"store={tmp_path / 'store'}"))
        stages = build(config, lambda files: {file.name: "" for file in files})
        store = Store(config.store)
        return PlannedStudy(config, stages, store, run, ExpectedSeconds(store.root))

    return make


def replies(run, arm, values, metric="exact_match"):
    (run / "predictions").mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"q{number}", "metrics": {metric: value}} for number, value in enumerate(values)]
    (run / "predictions" / f"{arm}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.slow
def test_every_comparison_of_the_report_has_a_claim(study):
    left = LeftOut()
    made = claims(study("evaluation.primary.against=sft"), 300, None, left)
    assert [(claim["a"], claim["b"], claim["primary"]) for claim in made] == [
        ("raft", "base", False),
        ("raft", "rag", False),
        ("raft", "sft", True),
        ("raft", "sft_rag", False),
    ]
    claim = made[0]
    assert claim["detectable"] == pytest.approx(power.detectable_share(300, 0.3))
    assert claim["needed"] == {"2": 5980, "5": 975, "10": 249}
    assert claim["spread"] == {"kind": "discordance", "value": 0.3, "basis": "assumed", "source": "discordance=0.3"}
    assert (claims(study(), 300, 0.1, left)[0]["needed"]["5"] or 0) in range(1, 975)
    assert claims(study(), None, None, left)[0]["detectable"] is None
    assert left.lines == []


def test_a_run_measures_the_discordance(study, tmp_path):
    """Of 40 questions 10 are answered by exactly one arm; one more is counted, as none in a sample is not none."""
    replies(tmp_path / "run", "raft", [1.0] * 30 + [0.0] * 10)
    replies(tmp_path / "run", "rag", [1.0] * 24 + [0.0] * 12 + [1.0] * 4)
    made = claims(study("evaluation.arms=[rag,raft,sft]", run=tmp_path / "run"), 300, None, LeftOut())
    rag, sft = made
    assert rag["spread"]["value"] == pytest.approx(11 / 41)
    assert (rag["spread"]["basis"], rag["spread"]["source"]) == ("measured", "replies of the run to 40 questions")
    assert rag["questions"] == 40
    assert sft["spread"]["basis"] == "assumed", "the run has no replies of it"
    assumed = claims(study("evaluation.arms=[rag,raft]", run=tmp_path / "run"), 300, 0.5, LeftOut())
    assert assumed[0]["spread"]["source"] == "discordance=0.5"


def test_a_graded_metric_has_a_deviation_and_agrees_with_the_report(study, tmp_path):
    values = [(number % 10) / 10 for number in range(200)]
    others = [(number % 7) / 7 for number in range(200)]
    for arm, graded in (("raft", values), ("rag", others)):
        replies(tmp_path / "run", arm, graded, "f1")
    arguments = ("evaluation.primary.metric=f1", "evaluation.arms=[rag,raft]")
    (claim,) = claims(study(*arguments, run=tmp_path / "run"), None, None, LeftOut())
    assert claim["spread"]["kind"] == "standard deviation"
    reported = compare(METRICS["f1"], values, others, generator(0)).detectable
    assert claim["detectable"] == pytest.approx(reported, rel=0.1), "the report resamples, with two more items"
    (assumed,) = claims(study(*arguments), 200, None, LeftOut())
    assert assumed["spread"]["value"] == pytest.approx(0.3**0.5), "the most that values in 0..1 can differ"
    assert assumed["needed"]["10"] == power.questions_for_mean(0.1, 0.3**0.5)


def test_a_metric_without_a_formula_is_left_out_in_a_line(study):
    left = LeftOut()
    made = claims(study("evaluation.metrics=[macro_f1]", "evaluation.primary.metric=macro_f1"), 300, None, left)
    assert made == []
    assert left.lines == [
        "comparisons: macro_f1 is not a mean over questions, so its power is not computed; set another metric in "
        "evaluation.primary.metric"
    ]


def test_questions_are_a_limit_counted_or_unknown(study, tmp_path):
    assert planned_questions(study())["value"] == 300
    assert "at_most" in planned_questions(study())
    assert planned_questions(study("evaluation.max_items=null"))["value"] is None
    made = study().labelled("questions")
    folder = tmp_path / "store" / "questions" / made.key
    folder.mkdir(parents=True)
    counts = {"train": 900, "validation": 50, "test": 120}
    manifest = {**made.description, "key": made.key, "label": made.label, "seconds": 1.0, "counts": counts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    counted = planned_questions(study())
    assert (counted["value"], counted["basis"]) == (120, "counted")
    assert "at_most" not in counted
