"""`sweep=optuna` as a user runs it, killed and shared."""

import re
import shlex
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command_line import SMALL, command, environment, raft_exp, start, statuses, wait_until

pytest.importorskip("optuna", reason="the extra [search]")

STUDY = (
    *SMALL,
    "evaluation.arms=[raft]",
    "~evaluation.conditions.k0",
    "~evaluation.conditions.k4",
    "sweep=optuna",
    "hydra.sweeper.objective=arms.raft.parsed",
)
SPACE = ("trainer.learning_rate=tag(log,interval(1e-5,1e-2))", "lora.r=tag(log,int(interval(2,32)))")


def finished(folder: Path) -> int:
    """Trials that the search on disk has told as complete."""
    try:
        (file,) = (folder / "store" / "searches").glob("*.db")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as opened:
            return opened.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0]
    except (ValueError, sqlite3.OperationalError):  # it was only just made
        return 0


def killed(folder: Path, arguments: tuple[str, ...], trials: int) -> None:
    """Starts the search and kills it, with all that it started, after so many trials."""
    search = start(folder, *arguments)
    wait_until(search, lambda: finished(folder) >= trials, pause=0.05)
    search.kill_group()


def tried(printed: str) -> list[list[str]]:
    """The rows of the table at a search's end."""
    rows = [line.replace("*", " ").split() for line in printed.splitlines() if line.rstrip().endswith("complete")]
    assert rows, printed
    return rows


@pytest.mark.slow
def test_a_search_killed_twice_ends_with_twenty_trials_and_the_command_of_the_best(tmp_path):
    search = (*STUDY, *SPACE)  # 20 trials, the default
    killed(tmp_path, search, 4)
    killed(tmp_path, search, 11)
    done = raft_exp(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    rows = tried(done.stdout)
    assert len(rows) == 20
    assert len({tuple(row[1:3]) for row in rows}) == 20, "no point twice"
    (best,) = re.findall(r"^  (python -m raft_exp .*)$", done.stdout, re.MULTILINE)
    arguments = shlex.split(best)[3:]
    assert "evaluation.split=test" in arguments
    assert "sweep=optuna" not in arguments
    chosen = raft_exp(tmp_path, *arguments)
    assert chosen.returncode == 0, chosen.stderr
    assert "reused  train[raft]" in chosen.stderr, "the best trial's adapter is the one that is tested"
    assert "ran     evaluate[raft]" in chosen.stderr
    again = raft_exp(tmp_path, *search)
    assert again.returncode == 0, again.stderr
    assert "Launching" not in again.stderr, "there is nothing left to try"
    assert tried(again.stdout) == rows


@pytest.mark.slow
def test_two_processes_share_a_search_and_run_no_trial_twice(tmp_path):
    arguments = command(*STUDY, "hydra.sweeper.n_trials=6", "dataset.p=0.6,0.8,1", "trainer.learning_rate=1e-4,1e-3")
    both = [
        subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for search in both:
        _, errors = search.communicate(timeout=300)
        assert search.returncode == 0, errors.decode()
    trained = [statuses(plan.parent)["train[raft]"] for plan in tmp_path.glob("runs/*/search_*/*/plan.json")]
    assert trained == ["ran"] * 6
    last = raft_exp(tmp_path, *arguments[3:])
    assert len({tuple(row[1:3]) for row in tried(last.stdout)}) == 6


@pytest.mark.slow
def test_several_objectives_and_a_trial_that_fails(tmp_path):
    two = [one for one in STUDY if "objective" not in one]
    objectives = (
        "hydra.sweeper.objective=[arms.raft.parsed,arms.raft.truncated]",
        "hydra.sweeper.direction=[maximize,minimize]",
    )
    done = raft_exp(
        tmp_path, *two, *objectives, "hydra.sweeper.sampler=grid", "lora.dropout=0,2,0.1", "prompt=brief,breif"
    )
    assert done.returncode == 0, done.stderr
    assert "failed: ConfigError: lora.dropout: got 2" in " ".join(done.stdout.split())
    assert len(tried(done.stdout)) == 2
    assert "failed: ConfigError: prompt: got 'breif'; did you mean 'brief'?" in " ".join(done.stdout.split())
    assert "on validation; to evaluate it on the test questions:" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("evaluation.split=test", "evaluation.split: got test; a search uses validation only; leave out"),
        ("evaluation.split=validation,test", "evaluation.split: got several; a search uses validation only; leave out"),
        ("hydra.sweeper.objective=arms.raft.exact_macth", "did you mean 'exact_match'?"),
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials: got 0; must be greater than or equal to 1"),
        ("hydra.sweeper.ntrials=5", "hydra.sweeper.ntrials: no such setting"),
        ("until=train", "until: got 'train', but a search needs the results of each trial"),
        ("dataset.p=7", "dataset.p: got 7; must be less than or equal to 1"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_it_begins(tmp_path, given, message):
    done = raft_exp(tmp_path, "sweep=optuna", "trainer.learning_rate=1e-4,1e-3", given)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ConfigError: ")
    assert message in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_search_whose_trials_all_fail_ends_in_an_error(tmp_path):
    done = raft_exp(tmp_path, *STUDY, "hydra.sweeper.sampler=grid", "dataset.num_distractors=3000,4000")
    assert done.returncode == 2, done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("SweepError: all 2 trials failed, the first with DataError: ")
    assert last.endswith("correct the error and repeat the command: it runs them again")
    assert not list((tmp_path / "store").glob("train/*"))
    (away,) = (tmp_path / "runs").glob("*/*")
    assert away.parent.name == "unfinished"
    named = {file.read_text() for file in (tmp_path / "store" / "runs").iterdir()}
    assert named == {str(away / "0"), str(away / "1")}, "what the failed trials have is kept from prune"


@pytest.mark.slow
def test_a_search_without_validation_questions_is_refused_before_a_trial(tmp_path):
    done = raft_exp(tmp_path, *STUDY, "corpus.validation=0", "dataset.p=0.5,1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ConfigError: sweep: got 'optuna', which compares trials on")
    assert not list((tmp_path / "store").glob("train/*"))
