"""A spread stage through the runner: shards, lost tasks, errors, and what a second run does."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from raft_exp.core.errors import ConfigError, RaftError, StoreError
from raft_exp.core.schema import config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import Check, Stage, stage
from raft_exp.evaluation.stage import evaluate
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.spread import local
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread.driver import Spread
from raft_exp.pipeline.spread.shard_stage import shard_of, sharded
from raft_exp.pipeline.spread_settings import LocalSpread, RaySpread, SlurmSpread, SpreadConfig
from raft_exp.pipeline.store import Store
from tests.helpers import slurm
from tests.helpers import small_training as small

SLURM = SlurmSpread("slurm", 3, None, None, None, 60, 1, 1.0, 0, {})


@config_dataclass
class Numbers:
    """The settings of a made stage that writes the numbers below `total`."""

    total: int


def compute(config: Numbers, *, shard: Shard, out: Path) -> None:
    (out / "numbers.txt").write_text("".join(f"{number}\n" for number in shard.rows(config.total)))


def join(config: Numbers, *, shards: Sequence[Path], out: Path) -> None:
    (out / "numbers.txt").write_text("".join((folder / "numbers.txt").read_text() for folder in shards))


@stage("embed", 1, sharded=Sharded(compute, join))
def numbers(config: Numbers, *, out: Path) -> None:
    compute(config, shard=Shard(0, 1), out=out)


class Study:
    """Made stages in a store, and tasks that run in this process. `fates`: what becomes of each task, in order."""

    def __init__(self, folder: Path, *totals: int) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.stages = [Stage(numbers, Numbers(total)) for total in totals]
        self.fates: list[Callable[[TaskCommand, int], None]] = []
        self.started: list[list[int]] = []

    def tasks(self, config: SpreadConfig, command: TaskCommand) -> "Tasks":
        self.config = config
        return Tasks(self, command)

    def compute(self, command: TaskCommand, index: int) -> None:
        for each in self.stages:
            if each.key in command.keys and (functions := sharded(each)):
                self.store.ensure(shard_of(each, functions, Shard(index, command.count)), self.store.call)

    def run(self, spread: SpreadConfig) -> list[bytes]:
        outcomes = Runner(self.store, self.folder, self.folder / "config.yaml", spread).execute(self.stages)
        return [(outcome.path / "numbers.txt").read_bytes() for outcome in outcomes]


class Tasks:
    def __init__(self, study: Study, command: TaskCommand) -> None:
        self._study, self._command, self._waiting = study, command, list[int]()

    def start(self, tasks: Sequence[int]) -> None:
        self._study.started.append(list(tasks))
        self._waiting += tasks

    def ended(self) -> Iterator[int]:
        while self._waiting:
            index = self._waiting.pop(0)
            (self._study.fates.pop(0) if self._study.fates else self._study.compute)(self._command, index)
            yield index

    def stop(self) -> None:
        pass


def lost(command: TaskCommand, index: int) -> None:
    """The task ends without a result and without a message."""


def failed(command: TaskCommand, index: int) -> None:
    command.error(index).write_text(json.dumps(["encoder: got 'x'; use another", 2]))


@pytest.fixture
def study(tmp_path, monkeypatch):
    study = Study(tmp_path, 10)
    monkeypatch.setattr(local, "LocalTasks", study.tasks)
    return study


@pytest.mark.parametrize("count", [2, 3, 7, 13])
def test_the_result_is_that_of_one_process(study, count):
    assert study.run(LocalSpread("local", count)) == ["".join(f"{number}\n" for number in range(10)).encode()]
    assert study.started == [list(range(count))]
    assert study.store.path(study.stages[0]).is_dir(), "under the key of the stage itself"
    assert not list((study.folder / "store" / "shards").iterdir()), "the shards are removed"
    assert not (study.folder / "spread").exists()


def test_one_task_is_the_stage_function_itself(study):
    study.run(LocalSpread("local", 1))
    assert not study.started
    assert not (study.folder / "store" / "shards").exists()


def test_the_check_of_a_stage_runs_once_and_before_its_shards(study):
    calls: list[int] = []
    study.stages = [replace(stage, check=Check(lambda: calls.append(len(study.started)), {})) for stage in study.stages]
    study.run(LocalSpread("local", 3))
    assert calls == [0]


def test_a_lost_task_is_started_again(study, capsys):
    study.fates = [study.compute, lost, study.compute]
    study.run(LocalSpread("local", 3))
    assert study.started == [[0, 1, 2], [1]]
    assert "embed: task 2 of 3 was lost; it is started again" in capsys.readouterr().err


def test_a_task_that_is_always_lost_ends_the_study_in_one_line(study):
    study.fates = [lost] * 20
    with pytest.raises(RaftError, match=r"embed: task 1 of 2 was lost 4 times.*0\.log.*same command"):
        study.run(LocalSpread("local", 2))


def test_the_error_of_a_task_is_the_error_of_the_study_and_its_other_shards_stay(study):
    study.fates = [study.compute, failed]
    with pytest.raises(RaftError, match=r"^encoder: got 'x'; use another$"):
        study.run(LocalSpread("local", 3))
    study.run(LocalSpread("local", 3))
    assert study.started == [[0, 1, 2], [1, 2]]


def test_stages_of_one_process_are_computed_by_the_same_tasks(tmp_path, monkeypatch):
    study = Study(tmp_path, 10, 20, 30)
    monkeypatch.setattr(local, "LocalTasks", study.tasks)
    found = study.run(LocalSpread("local", 3))
    assert [content.count(b"\n") for content in found] == [10, 20, 30]
    assert study.started == [[0, 1, 2]]


def test_auto_is_a_task_for_each_gpu_of_a_stage_that_uses_one(study, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    study.run(LocalSpread("local", "auto"))
    assert not study.started, "this stage uses no GPU"
    whole = Stage(
        evaluate, small.evaluate_stage(engine=small.engine_config(accelerator="auto")), {"test": study.stages[0]}
    )
    spread = Spread(LocalSpread("local", "auto"), study.store, study.folder / "config.yaml")
    assert spread.takes(whole)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert not spread.takes(whole), "one engine is one process"


def test_a_stage_without_a_gpu_asks_the_cluster_for_none(study, monkeypatch):
    pytest.importorskip("submitit", reason="pip install 'raft_exp[spread]'")
    monkeypatch.setenv("PATH", slurm.install(study.folder / "slurm"))
    monkeypatch.setattr("raft_exp.pipeline.spread.slurm.SlurmTasks", study.tasks)
    study.run(replace(SLURM, gpus=2))
    assert study.started == [[0, 1, 2]]
    assert study.config == replace(SLURM, gpus=0)


def test_questions_that_another_limit_cuts_otherwise_are_other_shards(study):
    keys = set()
    for batch_tokens in (700, 1500):
        config = small.evaluate_stage(engine=small.engine_config(batch_tokens=batch_tokens))
        whole = Stage(evaluate, config, {"test": study.stages[0]})
        functions = sharded(whole)
        assert functions is not None
        keys.add((whole.key, shard_of(whole, functions, Shard(0, 3)).key))
    assert len({key for key, _ in keys}) == 1, "the limit changes no answer"
    assert len({key for _, key in keys}) == 2, "but the questions of a shard"


def test_a_finished_stage_needs_no_right_to_write(study, monkeypatch):
    study.run(LocalSpread("local", 2))
    monkeypatch.setattr(Store, "writable", False)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", unlink)
    assert study.run(LocalSpread("local", 2))


def test_a_shard_that_somebody_removes_is_missed_before_the_join(study):
    functions = sharded(study.stages[0])
    assert functions is not None
    first = study.store.path(shard_of(study.stages[0], functions, Shard(0, 3)))

    def removes_the_first(command: TaskCommand, index: int) -> None:
        study.compute(command, index)
        shutil.rmtree(first)

    study.fates = [study.compute, study.compute, removes_the_first]
    with pytest.raises(StoreError, match="embed shard 1 of 3 was removed while this study ran; run the same command"):
        study.run(LocalSpread("local", 3))
    assert study.run(LocalSpread("local", 3)) == ["".join(f"{number}\n" for number in range(10)).encode()]
    assert study.started == [[0, 1, 2], [0]]


def test_a_log_that_cannot_be_removed_ends_no_study(study, monkeypatch):
    remove = shutil.rmtree

    def keeps_logs(folder: Path, ignore_errors: bool = False) -> None:
        if Path(folder).parent.name != "spread":
            remove(folder, ignore_errors)
        elif not ignore_errors:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", str(folder))

    monkeypatch.setattr(shutil, "rmtree", keeps_logs)
    assert study.run(LocalSpread("local", 2))


def test_another_number_of_tasks_after_an_error_gives_the_same_result(study):
    study.fates = [study.compute, failed]
    with pytest.raises(RaftError):
        study.run(LocalSpread("local", 3))
    assert study.run(LocalSpread("local", 2)) == ["".join(f"{number}\n" for number in range(10)).encode()]


@pytest.mark.parametrize(
    ("spread", "line"),
    [
        (SLURM, r"spread: got 'slurm', but this machine has no program sacct; .*spread=local"),
        (RaySpread("ray", 3, None, 1, 0), r"spread: got 'ray', which needs the package ray; .*raft_exp\[spread\]"),
    ],
)
def test_what_an_engine_lacks_is_said_before_any_stage_runs(study, monkeypatch, spread, line):
    for program in ("sbatch", "srun"):
        (study.folder / program).touch(0o755)
    monkeypatch.setenv("PATH", str(study.folder))
    monkeypatch.setattr("raft_exp.pipeline.spread.driver.find_spec", lambda name: None if name == "ray" else True)
    with pytest.raises(ConfigError, match=line):
        study.run(spread)
    assert not (study.folder / "store" / "embed").exists()
