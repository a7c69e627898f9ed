"""The judge in a report: figures, missing values, its words beside the replies, and a warning above 5%."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.results import Results, read_predictions
from raft_exp.reporting.terminal import verdict
from tests.helpers.report_study import HOSTILE, Study, example

Value = Callable[[int], float | None]


def judged(folder: Path, value: Value, words: str = "So it is.") -> Path:
    """The result folder of a stage `judge`, for 60 questions in one task."""
    folder.mkdir()
    values = {f"q{n}": value(n) for n in range(60)}
    lacking = {"words": "", "missing": "not_json"}
    write_jsonl(
        folder / "judgements.jsonl",
        (
            {"id": name, "task": "correct", "value": one, **({"words": words} if one is not None else lacking)}
            for name, one in values.items()
        ),
    )
    return summary(folder)


def preferred(folder: Path) -> Path:
    """The result folder of a stage `judge_pairs`: a judge that always prefers the reply that it sees first."""
    folder.mkdir()
    words, winners = ["First.", "First."], ["a", "b"]
    rows = ({"id": f"q{n}", "value": 0.5, "words": words, "winners": winners} for n in range(60))
    write_jsonl(folder / "pairs.jsonl", rows)
    return summary(folder)


def summary(folder: Path) -> Path:
    counts = {"replies": 60, "prompt_tokens": 600, "new_tokens": 60, "cost": 1.5}
    versions = {"correct": "judge_correct, version 1", "polite": "polite, version 2"}
    (folder / "judge.json").write_text(json.dumps({"model": "big-1", "versions": versions, "claims": [], **counts}))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    study = Study(folder / "study", [example(n, "yes") for n in range(60)])
    for arm in ("base", "rag", "raft"):
        study.say(arm, *["yes"] * 60)
    judgements = {
        "base": judged(folder / "j0", lambda n: float(n % 2)),
        "rag": judged(folder / "j1", lambda n: None if n < 6 else 1.0, HOSTILE),
        "raft": judged(folder / "j2", lambda n: None if n < 3 else 1.0),
    }
    with (judgements["raft"] / "judgements.jsonl").open("a") as file:  # another task, without a single usable reply
        rows = ({"id": f"q{n}", "task": "polite", "value": None, "words": "", "missing": "not_json"} for n in range(60))
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return study.run(judgements=judgements, judged_pairs={"raft|base": preferred(folder / "j3")})


def test_missing_values_are_counted_and_left_out_of_figures_and_comparisons(made):
    results: Results = json.loads((made / "results.json").read_text())
    judge = results["judge"]
    correct = judge["tasks"]["correct"]
    assert [(arm, one["value"], one["n"], one["missing"]) for arm, one in correct.items()] == [
        *(("base", 0.5, 60, 0), ("rag", 1.0, 54, 6), ("raft", 1.0, 57, 3))
    ]
    differences = {row["b"]: row for row in judge["comparisons"]}
    assert differences["rag"]["difference"] == 0.0
    assert differences["base"]["difference"] == pytest.approx(1 - 29 / 57, abs=1e-6), "on the questions of both arms"
    assert differences["base"]["p_value_holm"] < 0.001
    (pair,) = judge["pairs"]
    assert (pair["value"], pair["first_position"], pair["disagreed"], pair["n"]) == (0.5, 1.0, 60, 60)
    assert (judge["replies"], judge["cost"]) == (240, 6.0)


def test_only_an_arm_with_more_than_5_percent_missing_is_warned_of(made):
    (line,) = [line for line in json.loads((made / "results.json").read_text())["warnings"] if "The judge" in line]
    assert "(correct, rag: 6 of 60; polite, raft: 60 of 60)" in line


def test_predictions_hold_the_words_of_the_judge_and_pages_show_them_as_text(made):
    rows = list(read_predictions(made / "predictions" / "rag.jsonl"))
    assert rows[0]["judge"] == {"correct": {"value": None, "words": "", "missing": "not_json"}}
    assert rows[6]["judge"] == {"correct": {"value": 1.0, "words": HOSTILE}}
    page, markdown = ((made / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert "<script>alert('x')</script>" not in page
    assert "uncorrected" in page
    assert "| correct | rag | 100.0 (93.4–100.0) | 54 | 6 | 0.0" in markdown
    assert "| raft | base | 50.0 " in markdown
    assert "| 60 | 0 | 60 | 100.0 |" in markdown


def test_the_terminal_has_one_line_of_the_judge(made):
    lines = [str(line) for line in verdict(json.loads((made / "results.json").read_text()))]
    (line,) = [line for line in lines if line.startswith("Judge")]
    figures = "correct: base 50.0%, rag 100.0% (n 54, 6 missing), raft 100.0% (n 57, 3 missing); "
    figures += "polite: raft unknown (n 0, 60 missing); preferred: raft to base 50.0%."
    assert line == f"Judge big-1 (uncorrected): {figures}"


def test_a_task_without_a_single_usable_reply_has_no_figure(made):
    results: Results = json.loads((made / "results.json").read_text())
    assert results["judge"]["tasks"]["polite"] == {
        "raft": {"value": None, "low": None, "high": None, "n": 0, "missing": 60}
    }
    assert all(row["metric"] == "correct" for row in results["judge"]["comparisons"])
