"""The engines that run tasks: each task ends once, also a killed one, and none outlives the study."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raft_exp.core.errors import ConfigError
from raft_exp.core.processes import end_with_parent
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread.local import LocalTasks
from raft_exp.pipeline.spread_settings import LocalSpread, RaySpread, SlurmSpread
from tests.helpers import slurm


@dataclass(frozen=True)
class Sleeping(TaskCommand):
    """Task N sleeps for N seconds. Task 97 and larger ones write their process id into a named pipe."""

    def start(self, index: int) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(["sleep", str(index)], preexec_fn=end_with_parent)
        if index >= 97:
            self.pipe(index).write_text(str(process.pid))
        return process

    def pid(self, index: int) -> int:
        """Waits until the task has started."""
        with self.pipe(index).open("rb", buffering=0) as pipe:
            return int(pipe.read(32))

    def pipe(self, index: int) -> Path:
        return self.folder / f"{index}.pipe"


def ends(pid: int) -> None:
    """Waits until a process has ended; fails after half a minute."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], 30)[0], "the task still runs"
    finally:
        os.close(process)


@pytest.fixture
def sleeping(tmp_path):
    command = Sleeping(tmp_path / "config.yaml", ("key",), 3, tmp_path, tmp_path, 1)
    for index in (97, 98, 99):
        os.mkfifo(command.pipe(index))
    pipes = [os.open(command.pipe(index), os.O_RDWR) for index in (97, 98, 99)]  # open: no task waits for a reader
    yield command
    for pipe in pipes:
        os.close(pipe)


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
    assert tasks._processes == set(), "the third was not started"


def test_a_task_ends_with_the_process_that_started_it(tmp_path):
    os.mkfifo(tmp_path / "0.log")
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
        with (tmp_path / "0.log").open() as log:  # a named pipe: waits for the task
            assert log.readline() == "ready\n"
        task = int(study.stdout.readline())
        study.kill()
    ends(task)


@pytest.mark.slow
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
    assert tasks._executor.parameters["array_parallelism"] == 33, "at_once=100 holds for all arrays together"


def test_tasks_that_sbatch_refuses_are_one_line(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="pip install 'raft_exp[spread]'")
    from raft_exp.pipeline.spread.slurm import SlurmTasks

    monkeypatch.setenv("PATH", slurm.install(tmp_path / "slurm"))
    (tmp_path / "slurm" / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition: few' >&2; exit 1\n")
    command = partial(time.sleep)
    setattr(command, "folder", tmp_path)  # noqa: B010
    config = SlurmSpread("slurm", 2, None, "few", None, 60, 1, 1.0, 0, {})
    tasks = SlurmTasks(config, command)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"sbatch refused the tasks \(.*invalid partition: few.*\); correct"):
        tasks.start([0, 1])


@dataclass
class Ray:
    """A stand-in for the package ray: a cluster of machines, which starts no task."""

    machines: list[dict[str, Any]]
    trouble: Exception | None = None
    is_on: bool = False
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def is_initialized(self) -> bool:
        return self.is_on

    def init(self, address: str | None, **_: object) -> None:
        if self.trouble:
            raise self.trouble
        self.is_on = True

    def shutdown(self) -> None:
        self.is_on = False

    def nodes(self) -> list[dict[str, Any]]:
        return self.machines

    def remote(self, **_: object) -> Callable[[object], SimpleNamespace]:
        return lambda function: SimpleNamespace(remote=lambda *given: self.calls.append(given))


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of one machine with two cores and a GPU, and one that has left."""
    ray = Ray(
        [
            {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}},
            {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        ]
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delitem(sys.modules, "raft_exp.pipeline.spread.ray", raising=False)
    yield ray
    sys.modules.pop("raft_exp.pipeline.spread.ray", None)


def ray_tasks(cpus: float, gpus: float, address: str | None, command: TaskCommand) -> Any:
    from raft_exp.pipeline.spread.ray import RayTasks

    return RayTasks(RaySpread("ray", 3, address, cpus, gpus), command)


@pytest.mark.parametrize(("cpus", "gpus"), [(8, 0), (1, 2)])
def test_a_task_that_no_machine_can_hold_is_named(cluster, sleeping, capsys, cpus, gpus):
    with pytest.raises(ConfigError, match=f"spread.cpus={cpus} and spread.gpus={gpus}: .*lower these settings"):
        ray_tasks(cpus, gpus, None, sleeping)
    assert not cluster.is_on, "Ray does not stay behind"
    ray_tasks(cpus, gpus, "auto", sleeping)  # a machine can still join
    assert f"no machine of the Ray cluster has spread.cpus={cpus} and spread.gpus={gpus}" in capsys.readouterr().err


def test_an_address_without_a_cluster_is_one_line(cluster, sleeping):
    cluster.trouble = ConnectionError("Could not find any running Ray instance.")
    with pytest.raises(ConfigError, match=r"spread.address=auto: .*running Ray instance.*spread.address=null"):
        ray_tasks(1, 0, "auto", sleeping)
    with pytest.raises(ConfigError, match=r"spread.address=null: .*; use spread=local$"):
        ray_tasks(1, 0, None, sleeping)


@pytest.mark.parametrize(("gpus", "shared"), [(0, False), (0.5, True), (1, False)])
def test_a_fraction_of_a_gpu_is_shared_without_locks(cluster, sleeping, monkeypatch, gpus, shared):
    from raft_exp.pipeline.gpus import SHARED

    monkeypatch.setenv(SHARED, "")
    ray_tasks(1, gpus, "auto", sleeping).start([0])
    from raft_exp.pipeline.spread.ray import _run

    assert _run(*cluster.calls[0]) == 0
    assert os.environ[SHARED] == ("1" if shared else "")


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


@pytest.mark.slow
def test_the_command_line_imports_no_engine():
    code = (
        "import sys, raft_exp.apps.cli, raft_exp.pipeline.spread.driver; print({'submitit', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
