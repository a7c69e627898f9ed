"""The command line before a study runs: help, preview, a conf folder of one's own, the note of the embedded study."""

import re
import subprocess
import sys

import pytest

from raft_exp.apps import cli
from tests.helpers.command_line import environment, raft_exp, run_folder, statuses

HEAVY = ("torch", "transformers", "datasets", "pytorch_lightning", "peft", "wandb", "bm25s", "matplotlib", "optuna")


@pytest.mark.slow
def test_help_and_dry_run_import_nothing_heavy(tmp_path):
    script = (
        "import sys\nfrom raft_exp.apps.cli import main\n"
        "try:\n    main()\nfinally:\n"
        f"    print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    for arguments in (["--help"], ["dry_run=true"], ["dry_run=true", "+experiment=pubmedqa"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "HEAVY []" in done.stdout, arguments
    assert not (tmp_path / "store").exists(), "a dry run leaves no store"


@pytest.mark.slow
def test_ones_own_conf_folder_needs_no_fork(tmp_path):
    (tmp_path / "conf" / "arm").mkdir(parents=True)
    (tmp_path / "conf" / "experiment").mkdir()
    (tmp_path / "conf" / "arm" / "mine.yaml").write_text(
        "recipe: raft\ncontext: passages\ncot: ${dataset.cot}\nadapter: null\ndataset: {p: 1.0}\n"
    )
    (tmp_path / "conf" / "experiment" / "own.yaml").write_text(
        "# @package _global_\nstudy: own\nevaluation:\n  arms: [rag, mine]\n"
    )
    done = raft_exp(tmp_path, "+experiment=own", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "train[mine]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        ([], ["+experiment=quickstart"]),
        (["corpus=almanac"], ["+experiment=quickstart"]),
        (["corpus=passages"], ["+experiment=quickstart", "note="]),
        (["corpus=passages", "note=mine"], ["+experiment=quickstart"]),
        (["corpus=passages", "+experiment=passages"], []),
    ],
)
def test_the_note_of_the_embedded_study_is_about_its_own_corpus(arguments, added, tmp_path, monkeypatch):
    composed = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["raft_exp", *arguments])
    monkeypatch.setattr("hydra.main", lambda **_: lambda _: lambda: composed.extend(sys.argv[1:]))
    monkeypatch.setattr("hydra.core.plugins.Plugins.register", lambda *_: None)
    cli.main()
    assert composed == [*added, *arguments]


@pytest.mark.slow
def test_preview_shows_the_data_sets_made_before_an_error(tmp_path):
    done = raft_exp(tmp_path, "preview=1", "corpus.num_entities=60", "dataset.p=1", "evaluation.num_distractors=99")
    assert done.returncode == 2
    assert "supervised; grounded: True" in done.stdout, "a row of the training set"
    assert "evaluation.num_distractors=99" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_preview_shows_rows_and_stops(tmp_path):
    done = raft_exp(tmp_path, "preview=1", "corpus.num_entities=60", "dataset.p=1")
    assert done.returncode == 0, done.stderr
    assert "supervised; grounded: True" in done.stdout
    assert "0 supervised │" in re.sub(" +", " ", done.stdout), "of a test row, which has no target"
    assert "##Answer:" in done.stdout
    assert "train" not in str(statuses(run_folder(tmp_path)))
