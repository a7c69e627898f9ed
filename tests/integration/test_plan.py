"""`python -m raft_exp.plan`: of settings, and of finished, failed and dry runs; nothing is written but out=FILE."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raft_exp.apps.plan.main import main
from tests.helpers.command_line import environment, raft_exp, run_module


def plan(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run_module("raft_exp.plan", folder, *words, **more)


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
def test_the_quickstart_is_planned_before_anything_is_made(tmp_path):
    done = plan(tmp_path, "+experiment=quickstart", "out=plan.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"], "no run folder and no store"
    shown = " ".join(done.stdout.split())
    assert "plan of quickstart: asset:pocket on cpu" in shown
    assert "raft minus questions detects ≥ 2 points need 5 points need 10 points need discordance" in shown
    assert "rag (primary) 300 9.1 points 5,980 975 249 0.30 assumed: discordance=0.3" in shown
    assert "counted: teacher=extractive uses no model" in shown
    made = json.loads((tmp_path / "plan.json").read_text())
    assert (made["study"], made["model"], made["device"]) == ("quickstart", "asset:pocket", "cpu")
    assert [claim["b"] for claim in made["claims"]] == ["base", "rag", "sft", "sft_rag"]
    assert made["memory"][-1]["what"] == "evaluate: a device"
    assert all(figure["basis"] in ("counted", "measured", "assumed", "estimated") for figure in made["hours"])
    assert made["left_out"] == [
        "time: unknown for 10 stages (ingest, questions, index, ...); the store has no comparable result"
    ]


@pytest.mark.slow
def test_a_model_that_is_not_at_hand_leaves_figures_out_without_torch(tmp_path):
    """Without a network, a GPU, or an import of torch."""
    code = (
        "import sys; from raft_exp.apps.plan.main import main; main(['+experiment=pubmedqa', 'out=plan.json']); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    settings = environment(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "plan.json").read_text())
    assert (made["device"], made["memory"], made["hours"]) == ("h100", [], [])
    assert made["left_out"][0] == (
        "memory, disk space of weights, and the time of stages that were never measured: the configuration of "
        "Qwen/Qwen2.5-3B-Instruct is not in the hub's local cache; fetch it (some kilobytes) with `hf download "
        "Qwen/Qwen2.5-3B-Instruct config.json --revision aa8e72537993ba99e69dfaafa59ed015b17504d1`"
    )
    assert made["questions"]["value"] is None
    assert made["claims"][0]["needed"] == {"2": 5980, "5": 975, "10": 249}, "also where the questions are not made"


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from raft_exp.apps.plan.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(' '.join({'torch', 'hydra', 'scipy', 'transformers', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "device=NAME" in done.stdout


def test_a_finished_run_is_planned_from_its_own_replies(small_study, tmp_path, capsys):
    before = files(small_study.parent)
    main([str(small_study), f"out={tmp_path / 'plan.json'}"])
    assert files(small_study.parent) == before
    shown = " ".join(capsys.readouterr().out.split())
    made = json.loads((tmp_path / "plan.json").read_text())
    (claim,) = made["claims"]
    assert (claim["a"], claim["b"], claim["questions"], claim["spread"]["basis"]) == ("raft", "rag", 6, "measured")
    replies = [
        [json.loads(line)["metrics"]["exact_match"] for line in (small_study / "predictions" / f"{arm}.jsonl").open()]
        for arm in ("raft", "rag")
    ]
    differing = sum(left != right for left, right in zip(*replies, strict=True))
    assert claim["spread"]["value"] == pytest.approx((differing + 1) / 7)
    assert made["questions"] == {
        "what": "test questions",
        "value": 6,
        "unit": "questions",
        "basis": "counted",
        "source": "questions in the store, within evaluation.max_items",
    }
    assert re.search(r"rows of \d+ tokens in dataset\[raft\]", shown), "counted, no limit"
    assert "≤ " not in shown.partition("because the store has no counts.")[2]
    assert [figure["source"] for figure in made["hours"]] == [
        "reused from the store, not run again; they took this time"
    ]
    assert made["disk"][0]["value"] > 0


def test_a_run_of_an_unfinished_study_is_planned_from_its_settings(small_study, tmp_path, capsys):
    """A failed run has config.yaml, with or without plan.json; the store is found by either."""
    failed = tmp_path / "failed"
    failed.mkdir()
    shutil.copy(small_study / "config.yaml", failed)
    main([str(failed), f"out={tmp_path / 'plan.json'}"])
    made = json.loads((tmp_path / "plan.json").read_text())
    assert made["questions"]["value"] == 6, "config.yaml names the store"
    assert made["claims"][0]["spread"]["basis"] == "assumed", "it has no replies"
    capsys.readouterr()
    for text, told in (("[1]", "holds no settings"), ("a: [", "cannot be read"), ("model: 3\n", "another version")):
        (failed / "config.yaml").write_text(text)
        with pytest.raises(SystemExit) as ended:
            main([str(failed)])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


def test_a_dry_run_measures_with_the_rates_of_full_runs_alone(small_study, tmp_path):
    """Six questions and eight examples measure nothing for 300 and 2,400."""
    store = small_study.parent / "store"
    done = raft_exp(tmp_path, "+experiment=quickstart", f"store={store}", "dry_run=true", "trainer.threads=1")
    assert done.returncode == 0, done.stderr
    for label in ("train[raft]", "train[closed_book]", "evaluate[raft]", "dataset[test]", "report"):
        (line,) = (line for line in done.stderr.splitlines() if line.startswith(f"  · planned {label} "))
        assert "about" not in line, line
