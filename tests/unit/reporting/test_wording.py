"""The report says which texts BLEU, ROUGE and chrF compare, and computes them again from a run folder."""

import json
from dataclasses import replace

import pytest

from raft_exp.evaluation.metrics import METRICS, profile
from raft_exp.evaluation.primary import PrimaryConfig
from raft_exp.evaluation.references_stage import write_references
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.statistics import estimate, generator
from raft_exp.reporting.formats import title
from raft_exp.reporting.pairing import comparisons
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.settings import settings
from raft_exp.reporting.wording import wording, wording_warnings
from tests.helpers.report_study import ARMS, Study, answered, example, results

LONG = "The drug helped all of the patients in the trial over two years, {}."
REASONING = {name: {**arm, "cot": name != "base"} for name, arm in ARMS.items()}


@pytest.fixture
def study(tmp_path):
    made = Study(tmp_path, [example(number, "yes" if number % 3 else "no") for number in range(40)])
    made.config |= {"arms": REASONING, "reference": "target", "primary": PrimaryConfig("bleu", "raft")}
    made.say("base", *["yes"] * 40)
    said = {"rag": "The drug helped, {}.", "raft": "The drug ##begin_quote## helped all ##end_quote## of them, {}."}
    for arm, words in said.items():
        made.replies[arm] = [answered(row, f"##Reason: {words.format(row.id)} ##Answer: yes") for row in made.examples]
    texts = {row.id: LONG.format(row.id) for row in made.examples[:30]}
    (tmp_path / "references").mkdir()
    write_references(tmp_path / "references", texts)
    return made


def test_a_study_with_long_references_reports_the_wording_with_intervals_and_comparisons(study):
    out = study.run(references=study.root / "references")
    found = results(out)
    assert found["wording"] == {
        "reference": "target",
        "questions": 30,
        "missing": 10,
        "unspaced": 0,
        "tokenizer": "13a",
        "bleu": found["wording"]["bleu"],
    }
    assert found["metrics"][0] == "bleu"
    assert {"rouge_1", "rouge_2", "rouge_l", "chrf", "accuracy"} <= set(found["metrics"])
    raft, rag = (found["arms"][name]["metrics"]["bleu"] for name in ("raft", "rag"))
    assert 0 < rag["value"] < raft["low"] < raft["value"] < raft["high"]
    assert "bleu" not in found["arms"]["base"]["metrics"], "it writes no reasoning"
    assert found["arms"]["base"]["metrics"]["accuracy"]["value"] > 0
    (row,) = [row for row in found["comparisons"] if row["metric"] == "bleu"]
    assert (row["a"], row["b"]) == ("raft", "rag")
    assert row["p_value"] < 0.01
    assert "bleu" not in found["baselines"]["majority"]["metrics"]
    page, text = ((out / f"report.{kind}").read_text() for kind in ("html", "md"))
    for said in (page, text):
        assert "BLEU, ROUGE-1, ROUGE-2, ROUGE-L, chrF: they compare a reply with the text that the teacher" in said
        assert "30 of 40 questions have one" in said
        assert "tok:13a" in said
    assert any("10 of 40 test questions have no long reference" in line for line in found["warnings"])


def test_a_study_that_compares_with_answers_says_so_where_it_has_bleu():
    rows = [example(number) for number in range(4)]
    assert wording(profile("pubmedqa"), rows, {}) is None
    assert wording(profile("documents"), rows, {}) is None, "its ROUGE-L always compares with the answers"
    compared = wording(profile("pubmedqa", ["bleu"]), rows, {})
    assert compared is not None
    assert (compared["reference"], compared["questions"], compared["missing"]) == ("answers", 4, 0)


def as_run(study, name, metrics):
    folder = study.run(name, references=study.root / "references")
    (folder / "config.yaml").write_text(json.dumps({"seed": 0, "study": name, "evaluation": {"metrics": metrics}}))
    return folder


@pytest.mark.slow
def test_a_comparison_of_runs_has_the_wording_of_the_same_texts_alone(study):
    runs, _ = open_runs([as_run(study, "first", [])])
    twin = replace(runs[0], config={**runs[0].config, "evaluation": {"metrics": ["f1"]}})
    observed = runs[0].replies("raft").observed["bleu"]
    assert len(observed) == 30
    figure = estimate(METRICS["bleu"], list(observed.values()), generator(0))
    assert figure.value == results(runs[0].folder)["arms"]["raft"]["metrics"]["bleu"]["value"]
    study.say("rag", *["yes"] * 40)
    assert {row["metric"] for row in between([runs[0], twin])} == set(), "equal replies are not compared"
    write_references(study.root / "references", {row.id: LONG.format("again") for row in study.examples[:30]})
    others, _ = open_runs([as_run(study, "other", ["f1"])])
    assert {row["metric"] for row in between([*runs, *others])} == {"accuracy"}, "other texts: other figures"
    assert {row["metric"] for row in between([*runs, *others], same=True)} == {"bleu", "accuracy"}


def between(runs, same=False):
    """The comparisons of two settings; with `same`, of the arms within each."""
    rows, _, _ = comparisons(settings(runs)[0], ["bleu", "accuracy"], None)
    return [row for row in rows if (row["a"] == row["b"]) == same]


def test_bleu_of_a_script_without_spaces_is_warned_of():
    compared = {"reference": "long_answer", "questions": 9, "missing": 0, "unspaced": 9, "tokenizer": "13a"}
    made: Results = {"wording": {**compared, "bleu": "tok:13a"}}  # type: ignore[typeddict-item]
    assert ["bleu_tokenizer=zh" in line for line in wording_warnings(made)] == [True]
    made["wording"]["tokenizer"] = "zh"
    assert list(wording_warnings(made)) == []


def test_names_of_metrics():
    assert [title(name) for name in ("bleu", "rouge_1", "rouge_l", "chrf", "f1", "supporting_em")] == [
        "BLEU",
        "ROUGE-1",
        "ROUGE-L",
        "chrF",
        "F1",
        "supporting EM",
    ]
