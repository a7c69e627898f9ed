"""Two CPU processes, started in every way there is, learn what one learns."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raft_exp.training import checkpoint
from tests.helpers import small_training as small
from tests.helpers.command_line import SMALL, command, environment, raft_exp
from tests.unit.training.test_stopping import started, wait_for_steps

pytestmark = pytest.mark.slow

TWO = (
    "trainer=ddp",
    "trainer.accelerator=cpu",
    "trainer.devices=2",
    "trainer.max_steps=8",
    "lora.dropout=0.0",
    "seed=3",
    "until=train",
    "evaluation.arms=[raft]",
)
TORCHRUN = f"{sys.executable} -m torch.distributed.run --no-python --nproc-per-node 2 --master-port"

SRUN = """
import os, subprocess, sys
surroundings = {
    "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "study", "SLURM_JOB_NODELIST": "localhost", "SLURM_NODELIST": "localhost",
}
started = [
    subprocess.Popen(sys.argv[1:], env=os.environ | surroundings | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank})
    for rank in "01"
]
sys.exit(max(process.wait() for process in started))
"""

NODES = """
import subprocess, sys
run = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
run += ["--master-port=29517", "--no-python"]
other = subprocess.Popen([*run, "--node-rank=1", *sys.argv[1:]])
status = subprocess.run([*run, "--node-rank=0", *sys.argv[1:]]).returncode
sys.exit(status or other.wait())
"""


@pytest.fixture(scope="module")
def by_lightning(tmp_path_factory) -> bytes:
    return adapter(tmp_path_factory.mktemp("lightning"), *TWO)


def adapter(folder: Path, *overrides: str, **more: str) -> bytes:
    """The adapter of a small study."""
    done = raft_exp(folder, *SMALL, *overrides, **more)
    assert done.returncode == 0, done.stderr
    return next((folder / "store" / "train").glob("*/adapter/adapter_model.safetensors")).read_bytes()


@pytest.mark.parametrize("launcher", ["torchrun", "torchrun on two nodes", "srun"])
def test_every_launcher_starts_the_same_training(tmp_path, by_lightning, launcher):
    nodes: tuple[str, ...] = ()
    if launcher == "torchrun":
        words = f"{TORCHRUN} 29511"
    else:
        script = tmp_path / "launch.py"
        script.write_text(SRUN if launcher == "srun" else NODES)
        words = f"{sys.executable} {script}"
    if launcher == "torchrun on two nodes":
        nodes = ("trainer.devices=1", "trainer.num_nodes=2")
    assert adapter(tmp_path, *TWO, *nodes, f"trainer.rank_launcher={words}") == by_lightning


def test_what_the_processes_of_a_launcher_refuse_is_told_once(tmp_path):
    words = f"{TORCHRUN} 29513"
    only_training_sees = ("corpus.validation=0", "trainer.keep=best")
    done = raft_exp(tmp_path, *SMALL, *TWO, *only_training_sees, f"trainer.rank_launcher={words}")
    assert done.returncode == 2
    refusals = [line for line in done.stderr.splitlines() if "needs validation rows, but the dataset has none" in line]
    assert refusals == [done.stderr.splitlines()[-1]]
    assert refusals[0].startswith("RaftError: trainer.keep=best: ")


def test_a_launcher_that_is_not_there_is_one_line(tmp_path):
    done = raft_exp(tmp_path, *SMALL, *TWO, "trainer.rank_launcher=no_such_launcher")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "ConfigError: trainer.rank_launcher='no_such_launcher': No such file"
    )


SAMPLER = """
import os
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

class Sampler(BasicSweeper):
    def _parse_config(self):
        rates = [0.001 + int.from_bytes(os.urandom(2)) / 1e7 for _ in range(2)]
        return [*super()._parse_config(), "trainer.learning_rate=" + ",".join(map(repr, rates))]
"""


def test_all_ranks_of_a_sampling_sweep_train_with_the_same_settings(tmp_path):
    plugins = tmp_path / "own" / "hydra_plugins" / "sampler"
    plugins.mkdir(parents=True)
    (plugins / "__init__.py").write_text("")
    (plugins / "sampler.py").write_text(SAMPLER)
    sampler = "hydra.sweeper._target_=hydra_plugins.sampler.sampler.Sampler"
    path = os.pathsep.join([str(tmp_path / "own"), os.environ.get("PYTHONPATH", "")])
    done = raft_exp(tmp_path, "-m", *SMALL, *TWO, sampler, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    trained = list((tmp_path / "store" / "train").glob("*/manifest.json"))
    rates = [json.loads(file.read_text())["config"]["trainer"]["learning_rate"] for file in trained]
    assert len(set(rates)) == 2
    for file, rate in zip(trained, rates, strict=True):
        (folder := tmp_path / f"alone_{rate!r}").mkdir()
        alone = adapter(folder, *TWO, f"trainer.learning_rate={rate!r}")
        assert (file.parent / "adapter" / "adapter_model.safetensors").read_bytes() == alone


def figures(out: Path) -> list[dict[str, float]]:
    with (out / "metrics.csv").open() as file:
        return [{name: float(value or 0) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("r", [0, 16])
def test_two_processes_learn_what_one_learns(tmp_path, strategy, r):
    rows = small.dataset(tmp_path / "rows", train=7, validation=3)
    for name, how in {"one": {}, "two": {"strategy": strategy, "devices": 2}}.items():
        with started(rows, tmp_path / name, r=r, dropout=0.0, learning_rate=1e-3, **how) as process:
            told, _ = process.communicate()
        assert process.returncode == 0, told
    for ours, theirs in zip(figures(tmp_path / "two"), figures(tmp_path / "one"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_weights_in_parts_go_on_after_a_stop(tmp_path):
    rows = small.dataset(tmp_path / "rows", train=7, validation=3)
    how = {"strategy": "fsdp", "devices": 2}
    with started(rows, tmp_path / "whole", **how) as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told
    with started(rows, tmp_path / "out", **how) as process:
        wait_for_steps(process, tmp_path / "out", 4)
        process.terminate()
        told, _ = process.communicate()
    assert process.returncode == 75, told
    assert checkpoint.step(tmp_path / "out") >= 4
    with started(rows, tmp_path / "out", **how) as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told
    name = "adapter/adapter_model.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_study_under_a_launcher_is_stopped_and_goes_on(tmp_path, by_lightning):
    words = f"{TORCHRUN} 29519"
    study = command(*SMALL, *TWO, f"trainer.rank_launcher={words}")
    with subprocess.Popen(study, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        limit = time.monotonic() + 180
        while not any(file.read_text().count("\n") > 2 for file in tmp_path.glob("store/train/*.partial/metrics.csv")):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.005)
        process.send_signal(signal.SIGUSR1)
        _, told = process.communicate()
    assert process.returncode == 75, told
    assert told.splitlines()[-1].startswith("StoppedError: ")
    assert adapter(tmp_path, *TWO, f"trainer.rank_launcher={words}") == by_lightning
