"""Reports of tests without gold and of tests with false passages, on made replies."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.core.records import ContextPassage, read_rows, write_jsonl
from raft_exp.reporting.compare import compared
from raft_exp.reporting.comparison import write_comparison
from raft_exp.reporting.experiment import tables
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.settings import settings
from tests.helpers.report_study import Study, answered, example, results

REFUSES, RIGHT, WRONG = "Not there.", "yes", "no"


@pytest.fixture
def without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plots of the pages cost most of the time."""
    monkeypatch.setattr("raft_exp.reporting.page.write_pages", lambda *_, **__: None)


@pytest.fixture
def refusing(tmp_path: Path) -> Study:
    """rag always answers. raft refuses half the questions without gold, and one with gold."""
    made = Study(tmp_path, [example(number) for number in range(40)])
    made.config |= {"conditions": {"none": {"without_gold": True}}, "without_gold": {"none": "test"}}
    made.say("base", *[RIGHT] * 40)
    made.say("rag", *[RIGHT] * 40)
    made.say("raft", REFUSES, *[RIGHT] * 39)
    made.say("rag@none", *[WRONG] * 40)
    made.say("raft@none", *[REFUSES] * 20, *[WRONG] * 10, *[RIGHT] * 10)
    return made


def without_gold(study: Study) -> dict[str, Path]:
    bare = [ContextPassage("y", "third", "Title", "Rats sleep.", False)]
    rows = [replace(row, context=[*row.context[1:], *bare], has_gold=False) for row in study.examples]
    (study.root / "none").mkdir(exist_ok=True)
    write_jsonl(study.root / "none" / "rows.jsonl", rows)
    return {"none": study.root / "none"}


def with_probabilities(study: Study, *arms: str) -> None:
    for arm in arms:
        replies = study.replies[arm]
        study.replies[arm] = [replace(row, log_probability=-0.1 - place / 100) for place, row in enumerate(replies)]


def test_refusals_are_scored_over_both_contexts(refusing: Study) -> None:
    out = refusing.run(conditions=without_gold(refusing))
    found = results(out)
    metrics = {arm: of_arm["metrics"] for arm, of_arm in found["conditions"]["none"].items()}
    shown = {name: figure["value"] for name, figure in metrics["raft"].items()}
    assert shown["refusal_precision"] == pytest.approx(20 / 21)
    assert shown["refusal_recall"] == 0.5
    assert shown["refusal_f1"] == pytest.approx(40 / 61)
    assert shown["invented_answers"] == 0.5
    assert shown["selective_accuracy"] == pytest.approx(49 / 59)
    assert shown["coverage"] == pytest.approx(59 / 80)
    assert "refusal_precision" not in metrics["rag"], "an arm that never refuses has none"
    assert metrics["rag"]["invented_answers"]["value"] == 1
    told = found["abstention"]["none"]
    assert (told["with_gold"], told["right"], told["n"], told["curves"]) == ("test", "accuracy", 40, {})
    [invented] = [row for row in told["comparisons"] if row["metric"] == "invented_answers"]
    assert (invented["a"], invented["b"], invented["difference"]) == ("raft", "rag", -0.5)
    assert invented["p_value"] < 0.001
    for page in ("report.md", "report.html"):
        text = (out / page).read_text()
        assert "Refusals" in text
        assert "There is no curve of risk against coverage for rag, raft" in text
        assert "95.2" in text
    assert "invented_answers" in (out / "results.csv").read_text()


def test_probabilities_give_a_curve_and_its_area(refusing: Study) -> None:
    with_probabilities(refusing, "rag", "raft", "rag@none", "raft@none")
    refusing.replies["rag@none"] = [replace(row, log_probability=-5.0) for row in refusing.replies["rag@none"]]
    found = results(out := refusing.run(conditions=without_gold(refusing)))
    rag = found["conditions"]["none"]["rag"]["metrics"]["risk_coverage_area"]
    points = found["abstention"]["none"]["curves"]["rag"]
    assert list(points[-1]) == [1.0, 0.5], "all replies without gold are wrong"
    assert [0.5, 0.0] in map(list, points), "the confident half is right"
    assert rag["value"] == pytest.approx(0.125)
    assert rag["low"] < rag["value"] < rag["high"]
    assert "There is no curve" not in (out / "report.md").read_text()
    assert (out / "report.html").read_text().count("coverage: accepted replies") == 2, "a wide and a narrow plot"
    [row, *_] = read_rows(out / "predictions" / "raft@none.jsonl")
    assert row["outcomes"] == [[1.0, 0.0, 0.0, -0.1], [1.0, 0.0, 0.0, -0.1]]


def test_one_arm_without_probabilities_is_named(refusing: Study) -> None:
    with_probabilities(refusing, "raft", "raft@none")
    out = refusing.run(conditions=without_gold(refusing))
    assert list(results(out)["abstention"]["none"]["curves"]) == ["raft"]
    assert "There is no curve of risk against coverage for rag:" in (out / "report.md").read_text()


@pytest.mark.usefixtures("without_pages")
def test_empty_replies_neither_refuse_nor_answer(refusing: Study) -> None:
    refusing.replies["rag@none"] = [replace(row, raw=" ") for row in refusing.replies["rag@none"]]
    del refusing.replies["rag@none"][30:]
    rag = results(refusing.run(conditions=without_gold(refusing)))["conditions"]["none"]["rag"]["metrics"]
    assert (rag["refusal_recall"]["value"], rag["invented_answers"]["value"], rag["coverage"]["value"]) == (0, 0, 0.5)


@pytest.mark.usefixtures("without_pages")
def test_questions_whose_gold_was_cut_are_left_out(refusing: Study) -> None:
    cut = [replace(passage, gold=False) for passage in refusing.examples[0].context]
    refusing.examples[0] = replace(refusing.examples[0], context=cut, has_gold=False)
    found = results(refusing.run(conditions=without_gold(refusing)))
    assert found["abstention"]["none"]["n"] == 39
    assert found["conditions"]["none"]["raft"]["metrics"]["refusal_precision"]["value"] == 1


@pytest.mark.usefixtures("without_pages")
def test_a_report_without_such_tests_is_as_before(refusing: Study) -> None:
    refusing.config |= {"without_gold": {}}
    out = refusing.run(conditions=without_gold(refusing))
    found = results(out)
    assert not {"abstention", "conflict"} & set(found)
    assert "refusal_recall" not in found["conditions"]["none"]["raft"]["metrics"]
    assert "outcomes" not in next(read_rows(out / "predictions" / "raft@none.jsonl"))


@pytest.fixture
def contradicted(tmp_path: Path) -> Study:
    """Thirty questions with a false passage. rag follows it in 20 of them, raft in 5."""
    rows = [example(number, "Paris", question=f"Where is {number}?") for number in range(40)]
    made = Study(tmp_path, rows)
    made.config |= {"corpus": "natural_questions", "conditions": {"conflict": {"conflict": True}}}
    made.say("base", *["Rome"] * 40)
    made.say("rag", *["Paris"] * 40)
    made.say("raft", *["Paris"] * 30, *["Rome"] * 10)
    copy = ContextPassage("conflict:g", "conflict:g", "Title", "It is in Lyon.", False)
    planted = [replace(row, context=[row.context[0], copy], planted="Lyon") for row in rows[:30]]
    (tmp_path / "conflict").mkdir()
    write_jsonl(tmp_path / "conflict" / "rows.jsonl", planted)
    audit: dict[str, Any] = {"splits": {}, "conflicts": {"test": {"planted": 30, "in_question": 10}}}
    (tmp_path / "conflict" / "audit.json").write_text(json.dumps(audit))
    for arm, replies in {"rag": ["Lyon"] * 20 + ["Paris"] * 10, "raft": ["lyon"] * 5 + ["Paris"] * 25}.items():
        made.replies[f"{arm}@conflict"] = [
            answered(row, f"##Answer: {reply}") for row, reply in zip(planted, replies, strict=True)
        ]
    return made


def test_false_passages_are_reported_beside_the_score_without_them(contradicted: Study) -> None:
    out = contradicted.run(conditions={"conflict": contradicted.root / "conflict"})
    found = results(out)
    follows = {
        arm: of_arm["metrics"]["follows_false_passage"]["value"]
        for arm, of_arm in found["conditions"]["conflict"].items()
    }
    assert follows == {"rag": pytest.approx(20 / 30), "raft": pytest.approx(5 / 30)}
    told = found["conflict"]["conflict"]
    assert (told["n"], told["left_out"]) == (30, {"in_question": 10})
    assert told["without"]["raft"] == {
        "n": 30,
        "metrics": {"exact_match": told["without"]["raft"]["metrics"]["exact_match"]},
    }
    assert told["without"]["raft"]["metrics"]["exact_match"]["value"] == 1, "on the same questions"
    [row] = [row for row in told["comparisons"] if row["metric"] == "follows_false_passage"]
    assert row["difference"] == pytest.approx(-15 / 30)
    for page in ("report.md", "report.html"):
        text = (out / page).read_text()
        assert "False passages" in text
        assert "10 (the question names the answer)" in text
    assert next(read_rows(out / "predictions" / "rag@conflict.jsonl"))["planted"] == "Lyon"
    assert "follows_false_passage" not in found["arms"]["rag"]["metrics"]


def run_folder(study: Study, folder: Path, seed: int, share: float) -> None:
    study.config["seed"] = seed
    conditions = without_gold(study) if study.config["corpus"] == "pubmedqa" else {"conflict": study.root / "conflict"}
    out = study.run(folder.name, conditions=conditions)
    evaluation = {"arms": ["base", "rag", "raft"], "conditions": study.config["conditions"]}
    config = {"seed": seed, "dataset": {"refuse_share": share}, "evaluation": evaluation, "arms": study.config["arms"]}
    (out / "config.yaml").write_text(yaml.safe_dump(config))
    out.rename(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("without_pages")
def test_figures_over_seeds_and_doses(refusing: Study, tmp_path: Path) -> None:
    """A sweep over the dose: the figures of the runs are pooled, compared, drawn and published."""
    for share, refusals in ((0.0, 0), (1.0, 30)):
        for seed in (1, 2):
            refusing.say("raft@none", *[REFUSES] * (refusals + seed), *[WRONG] * (40 - refusals - seed))
            run_folder(refusing, tmp_path / f"run-{share}-{seed}", seed, share)
    runs, _ = open_runs(sorted(tmp_path.glob("run-*")))
    groups, _ = settings(runs)
    told = compared(groups)
    values = {
        entry["name"]: entry["conditions"]["none"]["raft"]["metrics"]["invented_answers"]["value"]
        for entry in told["settings"]
    }
    assert list(values.values()) == [pytest.approx(38.5 / 40), pytest.approx(8.5 / 40)]
    doses = [
        row
        for row in told["special_comparisons"]["none"]
        if (row["metric"], row["arm_a"], row["arm_b"]) == ("invented_answers", "raft", "raft")
    ]
    assert [row["difference"] for row in doses] == [pytest.approx(-30 / 40)]
    assert {row["metric"] for row in told["condition_comparisons"]["none"]} == {"accuracy"}
    published = "\n".join(tables(told))
    assert "| invented answers |" in published
    write_comparison(tmp_path / "out", runs, [])
    for page in ("comparison.md", "comparison.html"):
        assert "Refusals and false passages" in (tmp_path / "out" / page).read_text()
    assert len(list((tmp_path / "out").glob("figure*.svg"))) == 2, "the score and the invented answers against the dose"


@pytest.mark.usefixtures("without_pages")
def test_followed_passages_over_seeds(contradicted: Study, tmp_path: Path) -> None:
    for seed in (1, 2):
        run_folder(contradicted, tmp_path / f"run-{seed}", seed, 0.0)
    groups, _ = settings(open_runs(sorted(tmp_path.glob("run-*")))[0])
    told = compared(groups)
    figures = told["settings"][0]["conditions"]["conflict"]["rag"]["metrics"]
    assert figures["follows_false_passage"]["value"] == pytest.approx(20 / 30)
    assert any(row["metric"] == "follows_false_passage" for row in told["special_comparisons"]["conflict"])


@pytest.mark.usefixtures("without_pages")
def test_a_condition_without_gold_and_without_a_partner_is_named_in_a_warning(refusing: Study) -> None:
    refusing.config |= {"without_gold": {"none": ""}}
    found = results(refusing.run(conditions=without_gold(refusing)))
    assert found["abstention"] == {}
    assert [line for line in found["warnings"] if line.startswith("Refusals under none are not scored")]
