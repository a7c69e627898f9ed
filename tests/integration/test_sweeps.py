"""Sweeps as a user runs them: what is shared is made once, what fails fails alone, what was killed goes on."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.helpers.command_line import SMALL, raft_exp, start, statuses, wait_until

SWEPT = ("0.2", "0.4", "0.6", "0.8", "1")


def made(store: Path, stage: str) -> int:
    return len(list((store / stage).glob("*/manifest.json")))


def results(folder: Path) -> dict[str, dict]:
    """p -> results.json of its job, without the command line; of the newest sweep."""
    sweep = max(folder.glob("runs/*/sweep_*"))
    found = {}
    for file in sweep.glob("*/results.json"):
        config = yaml.safe_load(file.with_name("config.yaml").read_text())
        found[str(config["dataset"]["p"])] = json.loads(file.read_text()) | {"overrides": []}
    return found


@pytest.mark.slow
def test_a_sweep_of_p_on_real_records_survives_a_kill(tmp_path, test_data):
    sweep = (
        "-m",
        "+experiment=pubmedqa",
        f"corpus.path={test_data / 'pubmedqa'}",
        "model=tiny",
        "trainer=cpu",
        "+debug=short",
        f"dataset.p={','.join(SWEPT)}",
        "evaluation.arms=[rag,sft,raft]",
        "trainer.checkpoint_every=1",
    )
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    done = raft_exp(tmp_path / "whole", *sweep)
    assert done.returncode == 0, done.stderr
    store = tmp_path / "whole" / "store"
    assert {stage: made(store, stage) for stage in ("ingest", "questions", "targets", "dataset", "train")} == {
        "ingest": 1,
        "questions": 1,
        "targets": 1,
        "dataset": 5 + 1 + 1,
        "train": 5 + 1,
    }
    rows = [line.split() for line in done.stdout.splitlines() if " done " in line]
    assert [row[:3] for row in rows] == [[str(number), p, "done"] for number, p in enumerate(SWEPT)]
    assert re.search(r"^compare: python -m raft_exp\.report runs/pubmedqa/sweep_\S+$", done.stdout, re.MULTILINE)
    _kill_in_the_middle(tmp_path / "broken", sweep)
    again = raft_exp(tmp_path / "broken", *sweep)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path / "broken") == results(tmp_path / "whole")
    assert made(tmp_path / "broken" / "store", "train") == 6


def _kill_in_the_middle(folder: Path, sweep: tuple[str, ...]) -> None:
    """In the training of the third job."""
    running = start(folder, *sweep)
    trained = folder / "store" / "train"
    wait_until(running, lambda: made(folder / "store", "train") >= 3 and any(trained.glob("*.partial/metrics.csv")))
    running.kill_group()


@pytest.mark.slow
def test_an_experiment_sweeps_by_itself_and_the_command_line_has_the_last_word(tmp_path):
    small = ("until=ingest", "corpus.num_entities=50", "evaluation.conditions={}", "dataset.p=0,7,1")
    done = raft_exp(tmp_path, "+experiment=[quickstart,paper/p_sweep]", *small)
    assert done.returncode == 2
    assert [line.split()[:3] for line in done.stdout.splitlines() if re.match(r" \d", line)] == [
        ["0", "0", "done"],
        ["1", "7", "failed"],
        ["2", "1", "done"],
    ]
    assert done.stderr.splitlines()[-1] == (
        "SweepError: 1 of 3 jobs failed: #1; correct their errors and repeat the command: it runs only the missing "
        "stages"
    )


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_launchers_run_the_jobs_of_a_sweep(tmp_path, launcher):
    plugin = launcher.partition("_")[0]
    pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher", reason="the extras [launchers] and [ray]")
    small = ("until=questions", "corpus.num_entities=50", "seed=1,2", "corpus.world_seed=0", "dataset.p=0.5,7")
    done = raft_exp(tmp_path, "-m", f"launcher={launcher}", *small)
    assert done.returncode == 2, done.stderr
    assert done.stdout.count(" done ") == 2
    assert "ConfigError: dataset.p: got 7" in " ".join(done.stdout.split())
    ran = [statuses(plan.parent)["ingest"] for plan in tmp_path.glob("runs/*/sweep_*/*/plan.json")]
    assert sorted(ran) == ["ran", "reused"], "side by side, but made once"


def test_a_launcher_that_is_not_installed_says_what_to_do():
    from hydra.errors import MissingConfigException

    from raft_exp.apps.hydra_errors import explained

    error = MissingConfigException("...", missing_cfg_file="hydra/launcher/ray", options=["basic"])
    assert str(explained(error)).startswith("launcher: 'ray' is not installed; run pip install 'raft_exp[ray]'")


@pytest.mark.slow
def test_all_ranks_of_a_trial_have_the_settings_of_the_trial(tmp_path):
    pytest.importorskip("optuna", reason="the extra [search]")
    done = raft_exp(
        tmp_path,
        *SMALL,
        "-m",
        "sweep=optuna",
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "hydra.sweeper.n_trials=2",
        "evaluation.arms=[raft]",
        "~evaluation.conditions.k0",
        "~evaluation.conditions.k4",
        "trainer.learning_rate=tag(log,interval(1e-5,1e-2))",
        "lora.r=int(interval(2,16))",
    )
    assert done.returncode == 0, done.stderr
    told = []
    for log in sorted(tmp_path.glob("runs/*/search_*/*/raft_exp.log")):
        ranks = dict(re.findall(r"train\[raft\] rank (\d): (\{.*\})", log.read_text()))
        assert sorted(ranks) == ["0", "1"]
        assert ranks["0"] == ranks["1"]
        config = yaml.safe_load(log.with_name("config.yaml").read_text())
        settings = json.loads(ranks["1"])
        assert settings["trainer"]["learning_rate"] == config["trainer"]["learning_rate"]
        assert settings["lora"]["r"] == config["lora"]["r"]
        told.append(settings["trainer"]["learning_rate"])
    assert len(set(told)) == 2
