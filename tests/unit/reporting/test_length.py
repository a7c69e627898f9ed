"""The score against the length of the prompt: passages and tokens in the table, and a plot."""

import re
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.audit import DatasetAudit
from raft_exp.evaluation.results import Results
from raft_exp.reporting import conditions, length
from tests.helpers.runs import STUDY, arm, todays
from tests.unit.reporting.test_page import pages

PLACES = ("first", "middle", "last")
SIZES = {"k20": (19, 20, 2900.0), "k50": (49, 50, 7100.5), "k100": (99, 100, 14200.0)}


@pytest.fixture
def long() -> Results:
    """Results as `evaluation=long` gives them."""
    found = todays()
    found["primary"] = {"metric": "accuracy", "arm": "raft", "against": "rag"}
    settings: dict[str, dict[str, Any]] = {}
    found["lengths"] = {"test": {"passages": 5.2, "tokens": 800.0}}
    for name, (distractors, passages, tokens) in SIZES.items():
        for place in PLACES:
            change = {"num_distractors": distractors, "gold_at": place, "allow_cut": False}
            settings[f"{name}_{place}"] = {"context": "gold_and_distractors", **change}
            found["lengths"][f"{name}_{place}"] = {"passages": float(passages), "tokens": tokens}
    found["condition_settings"] = settings
    found["conditions"] = {
        name: {one: arm(accuracy=0.3 + 0.05 * at) for one in ("rag", "raft")} for at, name in enumerate(settings)
    }
    return found


def test_a_sweep_over_the_length_has_a_curve_for_each_place_of_gold(long: Results) -> None:
    found = conditions.sweeps(conditions.settings_of(long, STUDY), STUDY["evaluation"])
    assert [(sweep.field, sweep.rest) for sweep in found] == [
        ("num_distractors", f"gold_at {place}") for place in PLACES
    ]
    assert [[point for point, _ in sweep.points] for sweep in found] == [[19, 49, 99]] * 3


@pytest.mark.slow
def test_the_report_has_passages_and_tokens_of_each_condition_and_the_plot(long: Results, tmp_path: Path) -> None:
    text, markdown = pages(tmp_path, long)
    assert "| condition | passages | tokens | raft | rag |" in markdown
    row = re.search(r"^\| k50_middle: .* \| 50 \| 7,100\.5 \| 50\.0 .*\|$", markdown, re.MULTILINE)
    assert row, markdown
    assert re.search(r"^\| as in the study \| 5\.2 \| 800 \| ", markdown, re.MULTILINE)
    assert "By the length of the prompt" in text
    html = (tmp_path / "report.html").read_text()
    drawn = html.partition("<h3>By the length of the prompt</h3>")[2].partition("</figure>")[0]
    for label in ("raft, gold_at first", "rag, gold_at last", "tokens of a prompt (median)"):
        assert label in drawn


def test_results_without_lengths_have_neither(long: Results, tmp_path: Path) -> None:
    del long["lengths"]
    text, markdown = pages(tmp_path, long)
    assert "| condition | raft | rag |" in markdown
    assert "By the length" not in text
    assert length.plot({**long, "lengths": {}}, STUDY) == ""


def test_lengths_are_those_of_the_audits() -> None:
    spread = {"min": 1, "median": 812.5, "max": 2000, "sum": 9, "histogram": {"edges": [], "counts": []}}
    split = {"prompt_tokens": spread, "passages_with_gold": {"5": 3, "6": 1}, "passages_without_gold": {"4": 2}}
    audit: DatasetAudit = {"splits": {"test": split}}  # type: ignore[dict-item]  # the keys that are read
    assert length.lengths({"test": audit}) == {"test": {"passages": round(29 / 6, 2), "tokens": 812.5}}
    assert length.lengths({"test": {}}) == {}
