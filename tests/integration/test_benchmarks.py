"""The benchmarks run, at a small size, and say what they should of our own side."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import environment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(folder: Path, script: str, *arguments: str) -> list[str]:
    """Runs a benchmark in `folder` and returns the lines that it prints."""
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def simulated(folder: Path, *arguments: str) -> dict[str, dict[str, float]]:
    """Kind -> simulated case -> rate."""
    run(folder, "simulations.py", *arguments, "--json", str(folder / "rows"))
    found: dict[str, dict[str, float]] = {}
    for row in json.loads((folder / "rows").read_text()):
        found.setdefault(row["row"], {})[row["what"]] = row["rate"]
    return found


@pytest.mark.slow
def test_choosing_passages_beside_its_peers(tmp_path):
    pytest.importorskip("sentence_transformers", reason="the peer of mining: pip install 'raft_exp[dense]'")
    run(tmp_path, "dataset.py", "--questions", "300", "--peer-questions", "20", "--json", str(tmp_path / "f"))
    found = {(row["subject"], row["contender"]): row for row in json.loads((tmp_path / "f").read_text())["rows"]}
    assert found["sampling", "notebook"]["rows"] == 20
    for subject in ("sampling", "mining"):
        assert found[subject, "raft_exp"]["rows"] == 300
    ours = found["mining", "raft_exp"]
    assert ours["gold_again"] == ours["twice"] == ours["too_few"] == 0
    assert found["mining", "mine_hard_negatives"]["twice"] > 0


@pytest.mark.slow
def test_a_collection_is_ingested_indexed_and_searched(tmp_path):
    header, *rows = run(tmp_path, "collection.py", "300")
    assert header.split() == ["passages", "stage", "seconds", "CPU", "s", "peak", "MiB", "bytes"]
    assert [row.split()[:2] for row in rows] == [
        ["300", stage] for stage in ("ingest", "questions", "index", "dataset", "search")
    ]


@pytest.mark.slow
def test_vectors_are_indexed_and_searched(tmp_path):
    pytest.importorskip("faiss", reason="dense search: pip install 'raft_exp[dense]'")
    _, build, search, exact = run(tmp_path, "vectors.py", "4000", "--folder", str(tmp_path))
    assert [row.split()[:2] for row in (build, search, exact)] == [["4,000", it] for it in ("build", "search", "exact")]
    assert float(search.split()[-1]) > 0.7
    assert not [*(tmp_path / "4000").glob("index.[!f]*")]


@pytest.mark.slow
def test_tests_and_intervals_keep_what_they_say(tmp_path):
    """Three tenths of the simulations of one run: power, false alarms and coverage are as the docs say."""
    found = simulated(tmp_path, "--only", "power", "alarms", "coverage", "differences", "--share", "0.3")
    assert all(rate >= 0.94 for rate in found["found"].values()), found["found"]
    assert all(rate <= 0.07 for rate in found["alarm"].values()), found["alarm"]
    assert all(0.93 <= rate <= 0.97 for rate in found["covers"].values()), found["covers"]
    assert all(0.75 <= rate <= 0.88 for rate in found["detectable"].values()), found["detectable"]
    assert {kind: len(rates) for kind, rates in found.items()} == {
        "found": 7,
        "alarm": 3,
        "covers": 24,
        "detectable": 2,
    }


@pytest.mark.slow
def test_intervals_and_tests_over_seeds_keep_what_they_say(tmp_path):
    """A tenth of the simulations of several seeds; the pooled intervals that they replace do not keep it."""
    found = simulated(tmp_path, "--only", "seeds", "questions", "--share", "0.1")
    assert {kind: len(rates) for kind, rates in found.items()} == {
        "found": 40,
        "alarm": 40,
        "covers": 80,
        "pooled": 4,
        "one run": 4,
    }
    assert all(rate <= 0.1 for rate in found["alarm"].values()), found["alarm"]
    assert 0.035 <= sum(found["alarm"].values()) / 40 <= 0.065
    assert all(0.91 <= rate <= 0.99 for rate in found["covers"].values()), found["covers"]
    assert 0.94 <= sum(found["covers"].values()) / 80 <= 0.97
    assert min(found["pooled"].values()) < 0.87
    assert max(found["one run"].values()) > 0.15


@pytest.mark.slow
def test_labels_correct_any_judge(tmp_path):
    """A fifth of the simulations of a judge: the intervals hold the truth."""
    found = simulated(tmp_path, "--only", "judge", "--share", "0.2")
    covers = found["covers"]
    assert len(covers) == 117
    assert min(covers.values()) >= 0.87, covers
    erring = [rate for what, rate in covers.items() if "perfect" not in what]
    assert 0.94 <= sum(erring) / len(erring) <= 0.97
    assert max(found["uncorrected"].values()) < 0.05


@pytest.mark.slow
def test_scoring_is_timed_step_by_step(tmp_path):
    rows = run(tmp_path, "scoring.py", "pubmedqa", "--questions", "30", "--arms", "2")
    assert [row.split()[0] for row in rows] == [
        "replies",
        "summaries",
        "comparisons",
        "slices",
        "baselines",
    ]


@pytest.mark.slow
def test_training_beside_its_peers(tmp_path):
    pytest.importorskip("trl", reason="the peer of training")
    small = ("--batch", "2", "--count", "2", "--repeats", "1", "--threads", "1", "--json", str(tmp_path / "f"))
    contenders = ("raft_exp", "bare loop", "TRL padded", "TRL one by one")
    run(tmp_path, "training.py", *small, "--rows", "pubmedqa", "head", "--contenders", *contenders)
    rows = json.loads((tmp_path / "f").read_text())["found"]
    found = {row["contender"]: row for row in rows if row["rows"] == "pubmedqa"}
    assert set(found) == set(contenders)
    assert [row["loss"] for row in found.values()] == pytest.approx([found["raft_exp"]["loss"]] * 4, rel=1e-5)
    one, two = (row for row in rows if row["rows"] == "head")
    assert two["tokens"] > 1.6 * one["tokens"]
    assert two["peak_mib"] < 1.05 * one["peak_mib"]


@pytest.mark.slow
def test_reading_mixed_files_is_timed(tmp_path):
    run(tmp_path, "documents.py", "--files", "8", "--json", str(tmp_path / "f"))
    (row,) = json.loads((tmp_path / "f").read_text())
    assert row["not_read"] == 0
    assert row["passages"] > 100
    assert row["again_cpu_seconds"] < row["cpu_seconds"]
