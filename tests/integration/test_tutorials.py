"""The tutorials, followed as they are written, with studies in their short form."""

import json
from pathlib import Path

import pytest

from tests.helpers import pages
from tests.helpers.command_line import run_folder, run_words

TUTORIALS = pages.ROOT / "docs" / "tutorials"
SHORT = ("+debug=short", "model=tiny", "trainer=cpu", "trainer.threads=1", "model.max_new_tokens=32")


def words_of(name: str, folder: Path) -> list[list[str]]:
    """The Python commands of a tutorial, each once; its files are written into `folder`."""
    pages.write(TUTORIALS / f"{name}.md", folder)
    words = [line.words() for line in pages.commands(TUTORIALS / f"{name}.md")]
    return [line for place, line in enumerate(words) if line[0] == "python" and line not in words[:place]]


def run(folder: Path, words: list[str], *more: str) -> str:
    done = run_words(folder, *words[1:], *more)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def arms_of(run: Path) -> dict[str, object]:
    arms: dict[str, object] = json.loads((run / "results.json").read_text())["arms"]
    return arms


@pytest.mark.slow
def test_from_a_folder_of_files_to_an_exported_model(tmp_path):
    made, preview, study, laptop, ask, export, serve = words_of("own-documents", tmp_path)
    run(tmp_path, made)
    shown = run(tmp_path, preview)
    assert "Question: How long is the warranty of the Dryer" in shown
    assert "##Answer:" in shown
    run(tmp_path, laptop, *SHORT)
    assert set(arms_of(tmp_path / "runs" / "mine")) == {"base", "rag", "sft", "sft_rag", "raft"}
    run(tmp_path, study, *SHORT)
    assert len(arms_of(tmp_path / "runs" / "mine")) == 8
    run(tmp_path, ask)
    run(tmp_path, export, "tolerance=1")
    assert (tmp_path / "my_model" / "raft_exp.json").exists()
    assert serve[2:4] == ["raft_exp.serve", "runs/mine"]


@pytest.mark.slow
def test_a_first_sweep_and_its_comparison(tmp_path):
    planned, swept, compared, _ = words_of("first-sweep", tmp_path)
    run(tmp_path, planned, *SHORT)
    run(tmp_path, swept, *SHORT, "corpus.num_entities=400")
    sweep = run_folder_of_sweep(tmp_path)
    run(tmp_path, [*compared[:3], str(sweep)])
    assert "dataset.p" in (tmp_path / "comparison" / "comparison.md").read_text()


def run_folder_of_sweep(folder: Path) -> Path:
    return max(folder.glob("runs/*/sweep_*/sweep.json"), key=lambda file: file.stat().st_mtime_ns).parent


@pytest.mark.slow
def test_the_quickstart_reuses_what_it_made(tmp_path):
    same, changed = words_of("quickstart", tmp_path)
    for line in (same, same, changed):
        run(tmp_path, line, *SHORT, "corpus.num_entities=400")
    plan = {row["stage"]: row["status"] for row in json.loads((run_folder(tmp_path) / "plan.json").read_text())}
    assert {name for name, status in plan.items() if status == "ran"} <= {
        "train[raft]",
        *(f"evaluate[raft{condition}]" for condition in ("", "@k0", "@k4")),
        "report",
    }
    assert plan["targets"] == "reused"
