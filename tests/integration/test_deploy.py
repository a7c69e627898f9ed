"""The files of deploy/: their commands are those of raft_exp, and the SLURM script passes on signals and states."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from raft_exp.apps.experiments import with_experiment
from raft_exp.pipeline.parsing import parse
from tests.helpers.command_line import environment
from tests.helpers.composing import compose

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy").iterdir())
VARIABLES = {
    "$SLURM_JOB_NUM_NODES": "2",
    "$EXPERIMENT": "pubmedqa",
    "$STORE": "s3://BUCKET/studies",
    "$@": "+experiment=pubmedqa",
}
# The stubs. `sbatch` runs the script at once, with the options of its #SBATCH lines where SLURM puts them.
STUBS = {
    "sbatch": '#!/bin/bash\nexport SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=2\nexec bash "$@"\n',
    "scontrol": '#!/bin/bash\necho "$@" > scontrol.txt\n',
    "python": """#!/bin/bash
printf '%s\\n' "$@" > arguments.txt
trap 'echo saved > saved.txt; exit 75' USR1
touch started.txt
while [ "$STUDY" = waits ]; do sleep 0.02; done
[ "$STUDY" = killed ] && kill -9 $$
exit "$STUDY"
""",
}


def commands(file: Path) -> list[list[str]]:
    """The settings of each study in a file: after `python -m raft_exp` or in the arguments of a container."""
    text = file.read_text(encoding="utf-8")
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    lines = re.findall(r"python -m raft_exp ([^\n&]*)", text.replace("# `", ""))
    shown = [shlex.split(line.split('"\n')[0].rstrip('"') if line.count('"') % 2 else line) for line in lines]
    containers = re.findall(r"^ +args: \[(.*)\]$", text, re.M)
    return [*shown, *([word.strip() for word in line.split(",")] for line in containers)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_says_how_it_starts_and_what_was_run(file):
    text = file.read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert re.search(rf"^# Start:   .*deploy/{file.name}", head, re.M)
    assert re.search(r"^# Not run", head, re.M)
    if file.suffix == ".yaml":
        assert list(yaml.safe_load_all(text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_studies_of_a_file_compose_and_parse(file):
    found = commands(file)
    assert found
    for words in found:
        overrides = OverridesParser.create().parse_overrides(with_experiment(words))
        chosen = [str(one.input_line) for one in overrides if not one.key_or_group.startswith("hydra.")]
        parse(compose(*chosen))


@pytest.fixture
def job(tmp_path):
    """Starts the SLURM script with stubs; `study`: the status of the study, or `waits` or `killed`."""
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def start(study: str, *settings: str) -> "subprocess.Popen[str]":
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        variables = environment(PATH=path, STUDY=study)
        command = ["sbatch", str(ROOT / "deploy" / "slurm.sh"), *settings]
        return subprocess.Popen(command, cwd=tmp_path, env=variables, text=True, executable=tmp_path / "sbatch")

    return start


@pytest.mark.parametrize(
    ("study", "status", "requeued"), [("0", 0, False), ("2", 2, False), ("75", 75, True), ("killed", 137, False)]
)
def test_the_job_ends_as_its_study_and_is_queued_again_to_resume(job, tmp_path, study, status, requeued):
    assert job(study, "+experiment=pubmedqa", "note=two words").wait(30) == status
    assert (tmp_path / "scontrol.txt").exists() == requeued
    arguments = (tmp_path / "arguments.txt").read_text().splitlines()
    own = ["-m", "raft_exp", "trainer=srun", "trainer.num_nodes=2", "trainer.devices=8"]
    assert arguments == [*own, "+experiment=pubmedqa", "note=two words"]


def test_the_signal_before_the_time_limit_reaches_the_study(job, tmp_path):
    running = job("waits")
    while not (tmp_path / "started.txt").exists():
        assert running.poll() is None
    running.send_signal(signal.SIGUSR1)
    assert running.wait(30) == 75
    assert (tmp_path / "saved.txt").exists()
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 7\n"


@pytest.mark.slow
def test_a_study_runs_in_the_script(job, tmp_path):
    (tmp_path / "python").write_text(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    settings = ["corpus.num_entities=100", "trainer.batch_size=16", "until=questions", "hydra.run.dir=run"]
    assert job("0", *settings).wait(120) == 0
    assert list((tmp_path / "store" / "questions").glob("*/manifest.json"))
