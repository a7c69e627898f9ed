"""The whole paper in its shortest form on real slices: it runs, resumes, says what is missing, and ends in a page."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command_line import run_module

# One value in place of each sweep, so that the test ends in a minute; `make paper` has them all.
FEW = ("+debug=short", "dataset.p=0.6", "dataset.num_distractors=2", "model.max_new_tokens=16")


def paper(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_module("raft_exp.paper", folder, *words)


@pytest.fixture
def data(tmp_path: Path, test_data: Path) -> Path:
    """One of the data sets."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "triviaqa").symlink_to(test_data / "triviaqa")
    return folder


@pytest.mark.slow
def test_the_paper_ends_in_a_page_and_resumes(tmp_path: Path, data: Path) -> None:
    planned = paper(tmp_path, *FEW, f"data={data}", "dry_run=true")
    assert planned.returncode == 0, planned.stderr
    assert "CPU hours of training, answering and embedding" in planned.stdout
    assert planned.stderr.count("contains no dpr (looked for biencoder-trivia-dev.json)") == 1, "once for all studies"
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "store").exists()

    done = paper(tmp_path, *FEW, f"data={data}")
    assert done.returncode == 0, done.stderr
    assert "+debug=short adds model=tiny trainer=cpu" in done.stdout
    figures = json.loads((tmp_path / "runs" / "paper" / "paper.json").read_text())
    assert any("has no folder pubmedqa" in line for line in figures["missing"])
    assert any("TriviaQA: the data are incomplete: test file missing" in line for line in figures["missing"])
    assert [one["heads"] for one in figures["figure5"]] == [[], ["0.6"], []]
    (_, (name, cells)) = (figures["figure6"][1]["heads"], figures["figure6"][1]["rows"][0])
    assert (name, len(cells)) == ("D=2", 5)
    assert all(cell["interval"] for cell in cells)

    runs = sorted((tmp_path / "runs" / "paper").rglob("plan.json"))
    before = {run: run.stat().st_mtime_ns for run in runs}
    assert len(before) == 2
    again = paper(tmp_path, *FEW, f"data={data}")
    assert again.returncode == 0, again.stderr
    assert {run: run.stat().st_mtime_ns for run in runs} == before, "finished runs are left as they are"
