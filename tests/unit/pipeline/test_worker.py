"""Stages in a process of their own: one process for those that share it, and none that outlives its study."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from raft_exp.core.errors import RaftError
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from raft_exp.pipeline.worker import WorkerProcess
from tests.helpers.command_line import environment
from tests.helpers.composing import compose

PROC = Path("/proc")
pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="looks at processes through /proc")


class Study:
    """A small study whose stages are run one by one."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        values = compose(f"store={folder / 'store'}", "corpus.num_entities=60", "until=dataset", *overrides)
        self.config_file = folder / "config.yaml"
        self.config_file.write_text(yaml.safe_dump(values))
        config = parse(values)
        self._store = Store(config.store)
        self._stages = {stage.label: stage for stage in pipeline.build(config, Fingerprints(self._store))}
        self.child = WorkerProcess(self.config_file)

    def run(self, label: str, process: str) -> Path:
        return self._store.ensure(self._stages[label], lambda stage, out: self.child.run(process, stage, out)).path


def workers(config_file: Path) -> set[int]:
    """Ids of the worker processes of a study that run now."""
    found = set()
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if "raft_exp.pipeline.worker" in words and str(config_file) in words and _state(folder) != "Z":
                found.add(int(folder.name))
    return found


def _state(folder: Path) -> str:
    return (folder / "stat").read_text().rpartition(") ")[2][0]


@pytest.mark.slow
def test_stages_of_one_name_share_a_process_that_ends_when_another_comes(tmp_path):
    study = Study(tmp_path)
    with contextlib.closing(study.child):
        assert (study.run("ingest", "one") / "passages.jsonl").stat().st_size
        [first] = workers(study.config_file)
        assert (study.run("questions", "one") / "questions.jsonl").stat().st_size
        assert workers(study.config_file) == {first}
        assert (study.run("targets", "two") / "targets.jsonl").stat().st_size
        [second] = workers(study.config_file)
        assert second != first
    assert not workers(study.config_file)


@pytest.mark.slow
def test_a_killed_process_is_one_clear_error_and_the_next_stage_has_a_new_one(tmp_path):
    study = Study(tmp_path)
    with contextlib.closing(study.child):
        study.run("ingest", "one")
        [first] = workers(study.config_file)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(RaftError, match=r"^questions: the process of this stage ended with status -9; see the"):
            study.run("questions", "one")
        assert study.run("questions", "one").is_dir()
        assert workers(study.config_file) != {first}


@pytest.mark.slow
def test_an_error_in_the_process_is_told_in_its_own_words_and_ends_it(tmp_path):
    study = Study(tmp_path, "model.max_length=40", "model.max_new_tokens=30")
    with contextlib.closing(study.child):
        for label in ("ingest", "questions"):
            study.run(label, "one")
        with pytest.raises(RaftError, match=r"without any text of passages.* raise model.max_length"):
            study.run("dataset[test]", "one")
        assert not workers(study.config_file)


PARENT = """
import sys, time
from pathlib import Path
from tests.unit.pipeline.test_worker import Study
study = Study(Path(sys.argv[1]))
study.run("ingest", "one")
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_process_between_two_stages_ends_with_its_study(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert len(workers(tmp_path / "config.yaml")) == 1
        parent.kill()
    limit = time.monotonic() + 10
    while workers(tmp_path / "config.yaml"):
        assert time.monotonic() < limit, "it outlived its study"
        time.sleep(0.05)
