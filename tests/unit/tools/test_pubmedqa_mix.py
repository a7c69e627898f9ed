"""The small PubMedQA folder has each test question once, and generated records in the ratio of the labelled ones."""

import json
import sys
from pathlib import Path

import pytest

from tools import make_pubmedqa_mix


def write(folder: Path) -> tuple[str, str]:
    """300 labelled records (two yes to one no), and 200 generated ones, 20 of them no."""
    labelled = {
        str(number): {
            "QUESTION": f"Is {number} odd?",
            "CONTEXTS": ["A section."],
            "final_decision": "no" if number % 3 == 0 else "yes",
        }
        for number in range(300)
    }
    generated = [
        {
            "question": f"Does {number} help?",
            "passage": "Context (1): a\nContext (2): b",
            "answer": "no" if number < 20 else "yes",
        }
        for number in range(200)
    ]
    (folder / "pqal.json").write_text(json.dumps(labelled))
    (folder / "pqaa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in generated))
    return str(folder / "pqal.json"), str(folder / "pqaa.jsonl")


def made(monkeypatch, folder: Path, *words: str) -> tuple[dict[str, dict], dict[str, str]]:
    out = folder / "out"
    monkeypatch.setattr(sys, "argv", ["mix", *write(folder), str(out), *words])
    make_pubmedqa_mix.main()
    return json.loads((out / "pubmedqa.json").read_text()), json.loads((out / "test_ground_truth.json").read_text())


def test_test_questions_are_labelled_and_generated_records_keep_their_ratio(monkeypatch, tmp_path):
    records, test = made(monkeypatch, tmp_path)
    assert len(test) == 250
    assert {name: records[name]["final_decision"] for name in test} == test
    rest = [record["final_decision"] for name, record in records.items() if name not in test and "pqaa" not in name]
    machine = [record["final_decision"] for name, record in records.items() if "pqaa" in name]
    assert machine.count("no") == 20
    assert machine.count("yes") == round(20 * rest.count("yes") / rest.count("no"))
    assert made(monkeypatch, tmp_path) == (records, test)


def test_all_generated_records_are_taken_on_request(monkeypatch, tmp_path):
    records, _ = made(monkeypatch, tmp_path, "--all")
    assert len(records) == 500


def test_a_missing_file_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["mix", str(tmp_path / "none.json"), "x.jsonl", str(tmp_path)])
    with pytest.raises(SystemExit):
        make_pubmedqa_mix.main()
    assert "none.json: no such file" in capsys.readouterr().err
