"""--help: every group with what its settings mean, one group alone, and the version."""

import subprocess
import sys
from pathlib import Path

import pytest

from raft_exp import __version__
from raft_exp.apps import console
from raft_exp.apps.settings_help import help_text
from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.described import dataclasses_in, setting_rows, type_hints
from tests.helpers.command_line import environment

GROUPS = {name: dataclasses_in(hint) for name, hint in type_hints(Config).items() if dataclasses_in(hint)}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_explained_with_every_setting_of_it(group):
    lines = help_text([group], 100).splitlines()
    shown = {line.split("=")[0].strip().split(" ")[0] for line in lines}
    wanted = {f"{group}.{key}" for kind in GROUPS[group] for key, _, _ in setting_rows(kind) if key != "name"}
    assert wanted <= shown
    assert max(map(len, lines)) <= 120


def test_the_overview_has_every_group_and_the_settings_of_conf_with_their_comments():
    overview = help_text([], 100)
    assert all(f"== {name} ==" in overview for name in ("study", *GROUPS, "experiment", "arm", "sweep", "launcher"))
    assert "dataset.p=0.8" in overview
    assert "share of training rows whose context holds the gold" in overview
    assert "+experiment=pubmedqa" in overview
    for file in (conf_dir() / "corpus").glob("*.yaml"):
        assert f"corpus={file.stem}" in overview


def test_own_experiments_are_listed(tmp_path, monkeypatch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    own = tmp_path / "conf" / "experiment" / "mine.yaml"
    own.write_text("# @package _global_\n# Is my chunking better?\nstudy: m\n")
    monkeypatch.chdir(tmp_path)
    assert "+experiment=mine" in help_text(["experiment"], 100)
    assert "Is my chunking better?" in help_text(["experiment"], 100)


@pytest.mark.parametrize("group", sorted(folder.name for folder in conf_dir().iterdir() if folder.is_dir()))
def test_every_folder_of_settings_has_help(group):
    if group == "hydra":  # Hydra's own settings
        return
    shown = help_text([group], 100)
    names = [file.stem for file in (conf_dir() / group).glob("*.yaml")]
    assert f"== {group} ==" in shown
    assert len(names) == 1 or all(name in shown for name in names)


def test_an_unknown_group_names_the_nearest():
    with pytest.raises(ConfigError, match=r"--help: got 'corpsu'; did you mean 'corpus'\?"):
        help_text(["corpsu"])


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", f"import sys\nsys.argv[0] = 'raft-exp'\n{code}", *arguments]
    return subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


CONSOLE = "from raft_exp.apps.console import main\nmain()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["--version"], f"raft_exp {__version__}"),
        (["ask", "--version"], f"raft_exp {__version__}"),
        (["report", "--help"], "python -m raft_exp.report RUN [RUN ...] [out=DIR]"),
        (["--help", "retriever"], "== retriever =="),
        (["-h"], f"raft_exp {__version__}: compares RAG,"),
    ],
)
def test_the_console_script_is_every_command(tmp_path, arguments, first):
    done = run(tmp_path, CONSOLE, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith(first)
    assert not list(tmp_path.iterdir()), "help leaves nothing behind"


@pytest.mark.slow
def test_the_console_script_runs_a_study(tmp_path):
    done = run(tmp_path, CONSOLE, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "train[raft]" in done.stderr


def test_every_command_of_the_package_is_in_the_console_script():
    files = {file.stem for file in Path(console.__file__).parents[1].glob("*.py")}
    assert set(console.COMMANDS) == files - {"__init__", "__main__", "rewards"}  # rewards: functions for TRL


@pytest.mark.slow
def test_help_through_a_pipe_that_closes_is_no_error(tmp_path):
    shell = f"{sys.executable} -m raft_exp --help all | head -n 1"
    settings = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    done = subprocess.run(shell, shell=True, check=False, **settings)
    assert done.stderr == ""
