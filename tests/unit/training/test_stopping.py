"""Whatever ends a training, it goes on from its last whole step and ends in the same bytes."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from raft_exp.core.errors import DataError, ModelError, StoppedError
from raft_exp.training import callback, checkpoint, module
from raft_exp.training.loss import token_losses
from raft_exp.training.stage import train
from tests.helpers import small_training as small

RUN = {"max_steps": 11, "validate_every": 2, "checkpoint_every": 100, "learning_rate": 2e-2}
ADAPTER, METRICS = "adapter/adapter_model.safetensors", "metrics.csv"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, rows) -> dict[str, bytes]:
    return run(tmp_path_factory.mktemp("unbroken"), rows)


def run(out: Path, rows: Path, **trainer) -> dict[str, bytes]:
    return small.trained(out, rows, (ADAPTER, METRICS, "counts.json"), **RUN | trainer)


def metrics(out: Path) -> list[dict[str, str]]:
    with (out / METRICS).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_signal_ends_the_step_saves_and_says_so(tmp_path, rows, unbroken, monkeypatch, number, accumulate):
    losses, calls = token_losses, []

    def signalled(model, batch):
        calls.append(1)
        if len(calls) == 3 * accumulate:  # in the third step
            os.kill(os.getpid(), number)
        return losses(model, batch)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", signalled)
        with pytest.raises(StoppedError, match=rf"stopped by {number.name} after step 3 of 11; its state is saved"):
            run(tmp_path, rows, accumulate=accumulate)
    assert signal.getsignal(number) == before
    assert checkpoint.step(tmp_path) == 3
    expected = unbroken if accumulate == 1 else run(tmp_path / "whole", rows, accumulate=2)
    assert run(tmp_path, rows, accumulate=accumulate) == expected


def test_an_error_keeps_what_the_last_whole_step_left(tmp_path, rows, unbroken, monkeypatch):
    losses, calls = token_losses, []

    def failing(model, batch):
        calls.append(1)
        if len(calls) == 6:
            raise ValueError("something else")
        return losses(model, batch)

    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", failing)
        with pytest.raises(ValueError, match="something else"):
            run(tmp_path, rows)
    assert checkpoint.step(tmp_path) == 5
    assert run(tmp_path, rows) == unbroken


def test_an_error_between_step_and_record_keeps_the_checkpoint_before(tmp_path, rows, unbroken, monkeypatch):
    def failing(*_):
        raise ValueError("while validating")

    with monkeypatch.context() as patch:
        patch.setattr(callback, "validation_loss", failing)
        with pytest.raises(ValueError, match="while validating"):
            run(tmp_path, rows, checkpoint_every=1)
    assert checkpoint.step(tmp_path) == 1  # the second step is done, but not written down
    assert run(tmp_path, rows) == unbroken


@pytest.mark.slow
def test_the_best_adapter_is_kept_beside_the_last(tmp_path, rows, monkeypatch):
    fixed = iter([3.0, 1.0, 2.0, 5.0, 4.0, 2.5])
    monkeypatch.setattr(callback, "validation_loss", lambda *_: next(fixed))
    best = run(tmp_path / "best", rows, keep="best")
    monkeypatch.undo()
    last = run(tmp_path / "last", rows)
    assert best[ADAPTER] != last[ADAPTER]
    assert (tmp_path / "best" / "last" / ADAPTER).read_bytes() == last[ADAPTER]
    # the best was that of step 4: as a training would leave it that is stopped there
    later = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(callback, "validation_loss", lambda *_: next(later))
    run(tmp_path / "stopped", rows, keep="best", early_stopping=1)
    assert (tmp_path / "stopped" / ADAPTER).read_bytes() == best[ADAPTER]
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "adapter",
        "counts.json",
        "last",
        "metrics.csv",
        "timings.csv",
    ]


def test_training_stops_early_where_it_gets_no_better(tmp_path, rows, monkeypatch):
    fixed = iter([3.0, 2.0, 2.5, 2.1, 1.0])
    monkeypatch.setattr(callback, "validation_loss", lambda *_: next(fixed))
    run(tmp_path, rows, early_stopping=2)
    assert [row["step"] for row in metrics(tmp_path)] == [str(step) for step in range(1, 9)]
    assert json.loads((tmp_path / "counts.json").read_text())["steps"] == 8


def test_patience_goes_on_after_an_interruption(tmp_path, rows, monkeypatch):
    losses = dict(zip(range(2, 12, 2), [3.0, 2.0, 2.5, 2.1, 1.0], strict=True))
    monkeypatch.setattr(callback, "validation_loss", lambda module, *_: losses[module.step])
    run(tmp_path / "whole", rows, early_stopping=2, keep="best")
    real, calls = token_losses, []

    def signalled(model, batch):
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(model, batch)

    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", signalled)
        with pytest.raises(StoppedError):
            run(tmp_path / "out", rows, early_stopping=2, keep="best")
    again = run(tmp_path / "out", rows, early_stopping=2, keep="best")
    assert again == {name: (tmp_path / "whole" / name).read_bytes() for name in again}


@pytest.mark.parametrize(("field", "value"), [("keep", "best"), ("early_stopping", 2)])
def test_choosing_needs_validation_rows(tmp_path, field, value):
    rows = small.dataset(tmp_path / "rows", train=4, validation=0)
    with pytest.raises(DataError, match=f"trainer.{field}={value}: needs validation rows"):
        run(tmp_path / "out", rows, **{field: value})


def test_a_loss_that_is_no_number_on_the_way_can_be_looked_at(tmp_path, rows, monkeypatch):
    losses, calls = token_losses, []

    def broken(model, batch):
        calls.append(1)
        return losses(model, batch) * (float("inf") if len(calls) == 5 else 1.0)

    monkeypatch.setattr(module, "token_losses", broken)
    with pytest.raises(ModelError, match=r"loss is inf at step 5 \(rows q\d, "):
        run(tmp_path, rows)
    assert checkpoint.step(tmp_path) == 4


# In processes of their own, hit at a moment of chance

LONG = {"max_steps": 40, "checkpoint_every": 7, "validate_every": 10}


def in_a_process(rows: str, out: str, changes: str) -> None:
    """What the processes below run."""
    from raft_exp.core.errors import RaftError

    more = json.loads(changes)
    rank, dropout = more.pop("r", 16), more.pop("dropout", 0.1)
    config = small.train_stage(dropout=dropout, **RUN | LONG | more)
    try:
        train(replace(config, lora=replace(config.lora, r=rank)), dataset=Path(rows), out=Path(out))
    except RaftError as error:
        print(error, flush=True)
        sys.exit(error.status)


def started(rows: Path, out: Path, **changes) -> subprocess.Popen:
    """A training in a process, or several, of its own."""
    out.mkdir(exist_ok=True)
    script = out.parent / "script.py"
    script.write_text(
        "import sys\nfrom tests.unit.training.test_stopping import in_a_process\nin_a_process(*sys.argv[1:])\n"
    )
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [sys.executable, str(script), str(rows), str(out), json.dumps(changes)],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_steps(process: subprocess.Popen, out: Path, steps: int) -> None:
    limit = time.monotonic() + 180
    while not (out / METRICS).exists() or len((out / METRICS).read_text().splitlines()) <= steps:
        assert process.poll() is None, "it ended before it was hit"
        assert time.monotonic() < limit
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_hit_at_moments_of_chance_it_ends_in_the_same_bytes(tmp_path, rows, devices):
    how = {"devices": devices, "strategy": "ddp" if devices > 1 else "auto"}
    with started(rows, tmp_path / "whole", **how) as whole:
        told, _ = whole.communicate()
    assert whole.returncode == 0, told
    chance, out = random.Random(devices), tmp_path / "out"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1):
        # what a killed run wrote beyond its checkpoint stands there until the next one has begun
        step = len((out / METRICS).read_text().splitlines()) if (out / METRICS).exists() else 0
        with started(rows, out, **how) as process:
            wait_for_steps(process, out, step + chance.randrange(1, 8))
            time.sleep(chance.random() * 0.05)
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            told, _ = process.communicate()
        if number != signal.SIGKILL:
            assert process.returncode == 75
            assert f"training was stopped by {number.name} after step {checkpoint.step(out)} of 40" in told
    with started(rows, out, **how) as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told
    for name in (ADAPTER, METRICS, "counts.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["first", "second"])
def test_where_one_of_two_processes_is_killed_the_other_ends(tmp_path, rows, victim):
    with started(rows, tmp_path / "out", devices=2, strategy="ddp") as process:
        wait_for_steps(process, tmp_path / "out", 3)
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        second = int(found.stdout.split()[0])
        os.kill(second if victim == "second" else process.pid, signal.SIGKILL)
        start = time.monotonic()
        while time.monotonic() < start + 60 and any(alive(one) for one in (second, process.pid)):
            process.poll()
            time.sleep(0.2)
        left = [one for one in (second, process.pid) if alive(one)]
        for one in left:
            os.kill(one, signal.SIGKILL)
    assert left == []


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
