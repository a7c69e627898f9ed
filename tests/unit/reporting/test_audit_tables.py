"""The audit in words: no key of audit.json stands on a page, and every figure of it does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.audit import OVERLAP_COUNTS, ROW_COUNTS
from raft_exp.reporting import audit_words
from raft_exp.reporting.audit_tables import audit_views
from tests.helpers.html_page import Page
from tests.helpers.report_study import Study


def spread(median: int) -> dict[str, Any]:
    histogram = {"edges": [0.0, 1.0], "counts": [1]}
    return {"min": 3, "median": median, "max": 1234, "sum": 99, "histogram": histogram}


def split(rows: int, **counts: int) -> dict[str, Any]:
    return {
        "rows": rows,
        "with_gold": rows // 2,
        "share_with_gold": 0.5,
        "passages_with_gold": {"3": 7, "4": 8},
        "passages_without_gold": {},
        "gold_places": {"1": {"found": 31, "expected": 29.6}, "2": {"found": 28, "expected": 29.6}},
        **counts,
        "prompt_tokens": spread(321),
        "completion_tokens": spread(17),
        "length_tell": {"auc": 0.4613, "with_gold": 30, "without_gold": 30},
    }


COUNTS = {name: 1000 + place for place, name in enumerate(ROW_COUNTS)}
DATASET: dict[str, Any] = {
    "splits": {"train": split(60, **COUNTS), "validation": split(20, **dict.fromkeys(ROW_COUNTS, 0))},
    "overlap": {"test": {name: 2000 + place for place, name in enumerate(OVERLAP_COUNTS)}},
    "passed_over": {"gold_passage": 41, "holds_answer": 42, "a_rule_of_tomorrow": 43},
    "fewer_distractors": {"train": 0, "validation": 6},
    "max_length": 1024,
}
TEACHER: dict[str, Any] = {
    "asked": 501,
    "kept": 490,
    "quarantined": 11,
    "asked_again": 0,
    "reasons": {"no_answer": 11},
    "splits": {"train": {"asked": 501}},
    "cost": 0.25,
}


def test_every_count_has_words() -> None:
    assert {name for name in ROW_COUNTS if not name.endswith("_verbatim")} == set(audit_words.ROW_COUNTS)
    assert set(OVERLAP_COUNTS) == set(audit_words.OVERLAP)


def test_the_figures_are_there_in_words() -> None:
    audit: Any = {"datasets": {"raft": DATASET}, "test": {"splits": {"test": split(5)}, "context": "retrieved"}}
    study: Any = {**audit, "targets": TEACHER, "questions": {"written": TEACHER, "questions": {"train": 7}}}
    raft, test, questions, targets = audit_views(study)
    cells = dict(raft.tables[0].rows)
    assert raft.tables[0].columns == ["training rows", "validation rows"]
    assert cells["... of these, with gold"] == ["30 (50.0%)", "10 (50.0%)"]
    assert cells["tokens of a prompt"][0] == "3 to 1,234, median 321"
    assert cells["rows with fewer distractors than the settings say"] == ["0", "6"]
    assert cells["gold passages at place 1, 2, ... (by chance)"][0] == "31 (30), 28 (30)"
    shown = json.dumps([raft.tables[0].rows, raft.tables[1].rows])
    assert all(f"{count:,}" in shown for count in COUNTS.values())
    assert all(f"{2000 + place:,}" in shown for place, _ in enumerate(OVERLAP_COUNTS))
    assert "41 gold passages of the question, 42 that contain an answer, 43 a rule of tomorrow" in raft.notes[0]
    assert "Contexts: retrieved passages." in test.notes
    assert "rows with fewer distractors than the settings say" not in dict(test.tables[0].rows)
    assert ("cost", ["0.25"]) in targets.tables[0].rows
    assert questions.notes == ["Questions: 7 train.", "written, not usable: 11 no answer."]


def test_zeros_are_named_in_one_line() -> None:
    none = {**DATASET, "splits": {"train": split(60, **dict.fromkeys(ROW_COUNTS, 0))}, "fewer_distractors": {}}
    audit: Any = {"datasets": {"raft": none}, "test": {}}
    table = next(audit_views(audit)).tables[0]
    assert "distractors that hold an answer" in table.zeros
    assert "distractors that hold an answer" not in dict(table.rows)


@pytest.mark.slow
def test_no_key_of_the_audit_stands_on_a_page(study: Study) -> None:
    (study.root / "raft_data" / "audit.json").write_text(json.dumps(DATASET))
    (study.root / "test" / "audit.json").parent.mkdir(exist_ok=True)
    (study.root / "test" / "audit.json").write_text(json.dumps({"splits": {"test": split(60, rows_cut=1)}}))
    out = study.run()
    markdown = (out / "report.md").read_text().partition("## Audit")[2].partition("## How it")[0]
    page = Page((out / "report.html").read_text()).text.partition("Audit")[2].partition("How it was made")[0]
    for text in (markdown, page):
        assert not re.findall(
            r"\b\w+(?:\\?_\w+)+|splits\.|\b(?:train|validation)\.", text.replace("model.max_length", "")
        )


@pytest.mark.slow
def test_no_two_headings_of_a_page_are_equal(study: Study, tmp_path: Path) -> None:
    (study.root / "raft_data" / "audit.json").write_text(json.dumps(DATASET))
    out = study.run()
    headings = re.findall(r"<h[1-4][^>]*>(.*?)</h", (out / "report.html").read_text())
    assert len(headings) == len(set(headings)) > 8
    lines = re.findall(r"^#+ (.*)", (out / "report.md").read_text(), re.MULTILINE)
    assert len(lines) == len(set(lines)) > 8


def test_the_gold_of_retrieved_training_rows_is_in_words() -> None:
    counts = {"train": {"whole": 30, "part": 10, "none": 20}}
    retrieved = {**DATASET, "context": "retrieved", "gold_in_context": counts, "passed_over": {"of_another_split": 7}}
    audit: Any = {"datasets": {"raft_retrieved": retrieved}, "test": {}, "gold_test": {"splits": {"test": split(5)}}}
    view, _, alone = audit_views(audit)
    assert view.notes[:3] == [
        "Passages that are in no context: 7 from documents of another split.",
        "Contexts: retrieved passages.",
        "Of the training rows, 50.0% contain all gold passages of their question, 16.7% a part of them, and 33.3% "
        "none.",
    ]
    assert not any("gold_in_context" in note for note in view.notes)
    assert alone.heading == "Test set with gold alone"
