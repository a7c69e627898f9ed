"""The benchmarks run, at a small size, and say what they should of our own side."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.studies import environment

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_choosing_passages_beside_its_peers(tmp_path):
    pytest.importorskip("sentence_transformers", reason="the peer of mining: pip install 'raft_exp[dense]'")
    command = [
        sys.executable,
        str(BENCHMARKS / "dataset.py"),
        "--questions",
        "300",
        "--peer-questions",
        "20",
        "--json",
        str(tmp_path / "f"),
    ]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {(row["subject"], row["contender"]): row for row in json.loads((tmp_path / "f").read_text())["rows"]}
    assert found["sampling", "notebook"]["rows"] == 20
    for subject in ("sampling", "mining"):
        assert found[subject, "raft_exp"]["rows"] == 300
    ours = found["mining", "raft_exp"]
    assert ours["gold_again"] == ours["twice"] == ours["too_few"] == 0
    assert found["mining", "mine_hard_negatives"]["twice"] > 0


@pytest.mark.slow
def test_a_collection_is_ingested_indexed_and_searched(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "collection.py"), "300"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["passages", "stage", "seconds", "peak", "MiB"]
    assert [row.split()[:2] for row in rows] == [
        ["300", stage] for stage in ("ingest", "questions", "index", "dataset", "search")
    ]
