"""Targets of the Makefile: one visible command each, with the variables in it; nothing costly is ever cleaned."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("DATA=/somewhere", "QUESTIONS=/somewhere/questions.jsonl")


def make(*arguments, folder=ROOT):
    """Without installing: the Python of these tests is ready. Not as a part of the `make test` that runs this test."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(
        ["make", "-f", ROOT / "Makefile", "READY=", "CORE=", "REAL=", f"PY={sys.executable}", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_target_of_the_readme_is_there_and_says_what_it_does():
    listed = {line.split()[0] for line in make("help").stdout.splitlines() if len(line.split()) > 1}
    assert listed >= {
        "help",
        "quickstart",
        "real",
        "test",
        "check",
        "pubmedqa",
        "nq",
        "hotpotqa",
        "documents",
        "sweep-p",
        "sweep-distractors",
        "paper",
        "search",
        "report",
        "bench",
        "pocket",
        "clean",
    }
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= listed


@pytest.mark.parametrize(("hashes", "build"), [("1", "cuda"), ("cpu", "cpu")])
def test_an_installation_with_hashes_takes_no_other_file(tmp_path, hashes, build):
    command = ["make", "-n", "install", "sbom", f"HASHES={hashes}", f"VENV={tmp_path / 'new'}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    lines = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    pips = [line for line in lines.splitlines() if " pip install " in line]
    assert [name for line in pips for name in re.findall(r"requirements/(\w+)\.txt", line)] == [
        *("build", "dev", build, "tools")
    ]
    own = [line for line in pips if "--require-hashes" not in line]
    assert [line.partition("--quiet")[2] for line in own] == [
        " --disable-pip-version-check --no-deps --no-build-isolation -e ."
    ]


@pytest.mark.parametrize("hashes", ["1", "cpu"])
def test_later_commands_use_the_environment_as_it_was_installed(tmp_path, hashes):
    venv = tmp_path / "venv"
    venv.mkdir()
    for stamp in (".installed-core-hashed", ".installed-hashed"):
        (venv / stamp).write_text(f"{hashes}\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "HASHES"))
    }
    for target in ("install", "quickstart", "test", "report RUNS=one"):
        command = ["make", "-n", *target.split(), f"VENV={venv}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert " pip " not in done.stdout


def test_ci_installs_with_hashes():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    (chosen,) = [place for place, line in enumerate(lines) if line.startswith('export HASHES="${HASHES-cpu}"')]
    assert chosen < lines.index("make install")


def test_variables_stand_in_the_command():
    (command,) = make("-n", "pubmedqa", "MODEL=qwen2_5_3b", "TRAINER=ddp", "GPUS=8", "ARGS=seed=1").stdout.splitlines()
    chosen = "+experiment=pubmedqa model=qwen2_5_3b trainer=ddp trainer.devices=8"
    assert command.startswith(f"{sys.executable} -m raft_exp {chosen}")
    assert command.endswith("seed=1")


def test_what_is_missing_is_said_in_one_line(tmp_path):
    for target, told in (("documents", "make documents DATA="), ("report", "no finished run yet; run make quickstart")):
        done = make(target, folder=tmp_path)
        assert done.returncode == 2
        assert told in done.stdout
        assert done.stdout.count("\n") == 1
    done = make("bench", "BENCH=dateset")
    assert done.returncode == 2
    assert done.stdout.startswith("BENCH=dateset: no file benchmarks/dateset.py; use one of asking ")
    for python in ("no-such-python", "false"):
        done = make("test-lower", "TOOLS=", f"LOWER_VENV={tmp_path / 'new'}", f"LOWER_PYTHON={python}")
        assert done.returncode == 2
        assert done.stdout.startswith(f"{python} does not start Python 3.12, which requirements/lower.txt needs; ")
        assert done.stdout.count("\n") == 1
        assert not (tmp_path / "new").exists()


def test_clean_leaves_what_was_paid_for_and_made(tmp_path):
    kept = [tmp_path / "store" / "ledger" / "paid.jsonl", tmp_path / "runs" / "a" / "results.json"]
    for file in (*kept, tmp_path / "dist" / "x.whl"):
        file.parent.mkdir(parents=True)
        file.write_text("x")
    assert make("clean", folder=tmp_path).returncode == 0
    assert all(file.exists() for file in kept)
    assert not (tmp_path / "dist").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", [("pubmedqa",), ("hotpotqa",), ("nq",), ("documents", *DOCUMENTS), ("sweep-p",), ("sweep-distractors",)]
)
def test_studies_of_the_makefile_can_be_planned(tmp_path, target):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("A town.")
    (tmp_path / "files" / "questions.jsonl").write_text("{}\n")
    there = [one.replace("/somewhere", str(tmp_path / "files")) for one in target]
    done = make(*there, "ARGS=dry_run=true", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "planned" in done.stderr + done.stdout
