"""W&B, offline: one group a study, the figures in it, no secret anywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.studies import SMALL, environment, raft_exp, run_folder, statuses

CANARIES = {"WANDB_CANARY": "canary-59ae", "OPENAI_API_KEY": "canary-77cd", "HF_TOKEN": "canary-0b1f"}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    done = raft_exp(folder, *SMALL, "evaluation.arms=[sft,raft]", "logger=wandb", **CANARIES)
    assert done.returncode == 0, done.stderr
    return folder, done


def read_back(run: Path) -> list[dict]:
    leet = Path(sys.executable).with_name("wandb")
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    return [
        json.loads(
            subprocess.run(
                [leet, "leet", "inspect", "--summary", "--json", file],
                env=environment(), capture_output=True, text=True, check=True,
            ).stdout
        )
        for file in files
    ]  # fmt: skip


def test_a_study_is_one_group_of_runs_with_its_figures(tracked):
    run = run_folder(tracked[0])
    runs = read_back(run)
    assert len(runs) == 3, "two trainings and the report"
    told = [json.dumps(one) for one in runs]
    assert all('"quickstart"' in text for text in told)
    assert all(one["config"]["dataset"]["p"] == 1.0 for one in runs)
    assert sum("train/loss" in text for text in told) == 2
    trainings = [one for one in runs if "train/loss" in one["summary"]]
    for figure in ("train/learning_rate", "train/grad_norm", "speed/tokens_per_second", "speed/peak_gib"):
        assert all(one["summary"][figure] > 0 for one in trainings), figure
    assert all("rows" in one["summary"] for one in trainings), "a few rows as the model sees them"
    value = json.loads((run / "results.json").read_text())["arms"]["raft"]["metrics"]["f1"]["value"]
    assert [one["summary"]["raft/f1"] for one in runs if "raft/f1" in one["summary"]] == [value]


def test_reused_results_are_logged_again(tracked):
    folder, _ = tracked
    assert raft_exp(folder, *SMALL, "evaluation.arms=[sft,raft]", "logger=wandb").returncode == 0
    run = run_folder(folder)
    assert set(statuses(run).values()) == {"reused"}
    assert ["raft/f1" in one["summary"] for one in read_back(run)] == [True]


def test_no_secret_reaches_a_file_or_a_message(tracked):
    folder, done = tracked
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts += [done.stdout.encode(), done.stderr.encode()]
    for secret in CANARIES.values():
        assert not any(secret.encode() in text for text in texts), secret


@pytest.mark.slow
def test_a_server_that_does_not_answer_stops_no_study(tmp_path):
    done = raft_exp(
        tmp_path, *SMALL, "evaluation.arms=[raft]", "until=train", "logger=wandb", "logger.mode=online",
        WANDB_API_KEY="0" * 40, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_MODE="online",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "W&B does not answer" in done.stderr
    assert len(read_back(run_folder(tmp_path))) == 1
