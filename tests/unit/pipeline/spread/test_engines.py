"""The engines that run tasks: each task ends once, also a killed one, and none outlives the study."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from raft_exp.core.processes import end_with_parent
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread.local import LocalTasks
from raft_exp.pipeline.spread_settings import LocalSpread, RaySpread, SlurmSpread
from tests.helpers import slurm


@dataclass(frozen=True)
class Sleeping(TaskCommand):
    """Task N sleeps for N seconds."""

    def start(self, index: int) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(["sleep", str(index)], preexec_fn=end_with_parent)
        (self.folder / str(index)).write_text(str(process.pid))
        return process

    def pid(self, index: int) -> int:
        while not (file := self.folder / str(index)).exists() or not file.read_text():
            time.sleep(0.01)
        return int((self.folder / str(index)).read_text())


def ends(pid: int) -> None:
    """Waits until a process has ended; fails after half a minute."""
    limit = time.monotonic() + 30
    while slurm.runs(Path("/proc") / str(pid)):
        assert time.monotonic() < limit, "the task still runs"
        time.sleep(0.01)


@pytest.fixture
def sleeping(tmp_path):
    return Sleeping(tmp_path / "config.yaml", ("key",), 3, tmp_path, tmp_path, 1)


def test_local_tasks_end_when_their_processes_do(sleeping):
    tasks = LocalTasks(LocalSpread("local", 3), sleeping)
    tasks.start([0, 99])
    ended = tasks.ended()
    assert next(ended) == 0
    os.kill(sleeping.pid(99), signal.SIGKILL)
    assert next(ended) == 99
    tasks.start([0])
    assert list(ended) == [0]
    tasks.stop()


def test_stopped_local_tasks_leave_no_process(sleeping):
    tasks = LocalTasks(LocalSpread("local", 2), replace(sleeping, count=2))
    tasks.start([98, 99, 97])  # the third waits for a place
    pids = [sleeping.pid(98), sleeping.pid(99)]
    tasks.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not (sleeping.folder / "97").exists()


def test_a_task_ends_with_the_process_that_started_it(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from raft_exp.pipeline.spread import command\n"
        "folder = Path(sys.argv[1]); command._MODULE = 'tests.unit.pipeline.spread.outliving'\n"
        "task = command.TaskCommand(folder, (), 1, folder, Path.cwd(), 1)\n"
        "print(task.start(0).pid, flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[4]
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as study:
        assert study.stdout is not None
        task = int(study.stdout.readline())
        while "ready" not in (tmp_path / "0.log").read_text():
            time.sleep(0.01)
        study.kill()
    ends(task)


def test_slurm_tasks_end_when_their_jobs_do(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="pip install 'raft_exp[spread]'")
    from raft_exp.pipeline.spread.slurm import SlurmTasks

    monkeypatch.setenv("PATH", slurm.install(tmp_path / "slurm"))
    command = partial(time.sleep)  # task N sleeps for N seconds
    setattr(command, "folder", tmp_path)  # noqa: B010
    config = SlurmSpread("slurm", 2, None, "small", None, 60, 2, 1.5, 1, {"qos": "high"})
    tasks = SlurmTasks(config, command)  # type: ignore[arg-type]
    tasks.start([0, 99])
    ended = tasks.ended()
    assert next(ended) == 0
    text = next(tmp_path.rglob("*submission*.sh")).read_text()
    for line in ("partition=small", "time=60", "mem=1536MB", "cpus-per-task=2", "gpus-per-node=1", "qos=high"):
        assert f"#SBATCH --{line}" in text
    assert "#SBATCH --array=0-1%2" in text
    slurm.kill(tmp_path / "slurm", "1_1")
    assert list(ended) == [99]
    tasks.start([98])
    tasks.stop()
    assert not slurm.running(tmp_path / "slurm")


def test_slurm_arrays_have_at_most_a_thousand_tasks(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="pip install 'raft_exp[spread]'")
    from raft_exp.pipeline.spread.slurm import SlurmTasks

    sent: list[int] = []
    monkeypatch.setenv("PATH", slurm.install(tmp_path / "slurm"))
    command = partial(time.sleep)
    setattr(command, "folder", tmp_path)  # noqa: B010
    tasks = SlurmTasks(SlurmSpread("slurm", 2500, 100, None, None, 60, 1, 1.0, 0, {}), command)  # type: ignore[arg-type]
    monkeypatch.setattr(tasks._executor, "map_array", lambda run, array: sent.append(len(array)) or list(array))
    tasks.start(range(2500))
    assert sent == [1000, 1000, 500]


@pytest.mark.slow
def test_ray_tasks_end_when_their_processes_do(sleeping):
    pytest.importorskip("ray", reason="pip install 'raft_exp[spread]'")
    from raft_exp.pipeline.spread.ray import RayTasks

    tasks = RayTasks(RaySpread("ray", 3, None, 0.1, 0), sleeping)
    tasks.start([0, 99])
    ended = tasks.ended()
    assert next(ended) == 0
    os.kill(sleeping.pid(99), signal.SIGKILL)
    assert next(ended) == 99
    tasks.start([98])
    pid = sleeping.pid(98)
    tasks.stop()
    ends(pid)


def test_the_command_line_imports_no_engine():
    code = (
        "import sys, raft_exp.apps.cli, raft_exp.pipeline.spread.driver; print({'submitit', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
