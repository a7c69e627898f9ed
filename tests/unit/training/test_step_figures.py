"""Figures of a step that are read one step late, as on a GPU: here on the CPU, with the same optimiser."""

import csv
import math
import os
import signal
import time

import pytest
import torch

from raft_exp.core.errors import ModelError, StoppedError
from raft_exp.training import checkpoint, module
from raft_exp.training.loss import token_losses
from raft_exp.training.step_figures import FigureQueue
from raft_exp.training.weights import weights
from tests.helpers import small_training as small

RUN = {"max_steps": 11, "validate_every": 4, "checkpoint_every": 6, "learning_rate": 2e-2}
FILES = ("metrics.csv", "counts.json", "adapter/adapter_model.safetensors")


@pytest.fixture
def late(monkeypatch):
    monkeypatch.setattr(module, "LATE_ON", ("cpu",))


def run(out, rows, **trainer):
    return small.trained(out, rows, FILES, **RUN | trainer)


def metrics(out) -> list[dict[str, float]]:
    with (out / "metrics.csv").open() as file:
        return [{name: float(value or 0) for name, value in row.items()} for row in csv.DictReader(file)]


def test_figures_come_in_order_and_once_and_the_newest_on_request():
    queue = FigureQueue()
    for step in (1, 2, 3):
        queue.put(step, 0.1, torch.tensor([float(step), 0.0, 2.0]))
    assert [figures.step for figures in queue.take(newest=False)] == [1, 2]
    assert queue.take(newest=False) == []
    (last,) = queue.take(newest=True)
    assert (last.step, last.loss, last.signals, last.grad_norm) == (3, 3.0, [0.0], 2.0)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_late_figures_are_those_of_a_training_that_reads_at_once(tmp_path, rows, monkeypatch, accumulate):
    run(tmp_path / "at_once", rows, accumulate=accumulate)
    monkeypatch.setattr(module, "LATE_ON", ("cpu",))
    run(tmp_path / "late", rows, accumulate=accumulate)
    ours, theirs = metrics(tmp_path / "late"), metrics(tmp_path / "at_once")
    assert [row["step"] for row in ours] == list(range(1, 12))
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-3)
    assert [bool(row["validation_loss"]) for row in ours] == [bool(row["validation_loss"]) for row in theirs]
    timings = (tmp_path / "late" / "timings.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in timings[1:]] == [str(step) for step in range(1, 12)]


def test_a_signal_is_seen_one_step_late_and_nothing_is_lost(tmp_path, rows, monkeypatch, late):
    whole = run(tmp_path / "whole", rows)
    losses, calls = token_losses, []

    def signalled(network, batch):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(network, batch)

    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", signalled)
        with pytest.raises(StoppedError, match=r"stopped by SIGTERM after step [34] of 11; its state is saved"):
            run(tmp_path / "stopped", rows)
    stopped = checkpoint.step(tmp_path / "stopped")
    assert [row["step"] for row in metrics(tmp_path / "stopped")] == list(range(1, stopped + 1))
    assert run(tmp_path / "stopped", rows) == whole


def test_an_error_elsewhere_keeps_the_last_whole_step_with_its_figures(tmp_path, rows, monkeypatch, late):
    whole = run(tmp_path / "whole", rows)
    losses, calls = token_losses, []

    def failing(network, batch):
        calls.append(1)
        if len(calls) == 4:
            raise ValueError("something else")
        return losses(network, batch)

    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", failing)
        with pytest.raises(ValueError, match="something else"):
            run(tmp_path / "failed", rows)
    assert checkpoint.step(tmp_path / "failed") == 3
    assert [row["step"] for row in metrics(tmp_path / "failed")] == [1, 2, 3]
    assert run(tmp_path / "failed", rows) == whole


def test_a_loss_that_is_not_finite_changes_no_weight_and_leaves_no_checkpoint(tmp_path, rows, monkeypatch, late):
    losses, calls, seen = token_losses, [], []

    def broken(network, batch):
        calls.append(1)
        seen.append([weight.detach().clone() for weight in weights(network).values()])
        return losses(network, batch) * (math.nan if len(calls) == 3 else 1.0)

    monkeypatch.setattr(module, "token_losses", broken)
    with pytest.raises(ModelError, match=r"loss is nan at step 3 \(rows "):
        run(tmp_path, rows)
    before, after = seen[2], seen[3]  # around the third step
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(seen[1], before, strict=True))
    assert checkpoint.step(tmp_path) == 0


def test_the_time_of_a_step_holds_the_wait_for_its_device(tmp_path, rows, monkeypatch, late):
    take = FigureQueue.take

    def slow(queue, newest):
        time.sleep(0.1)  # as long as the device needs
        return take(queue, newest)

    monkeypatch.setattr(FigureQueue, "take", slow)
    run(tmp_path, rows, max_steps=5)
    with (tmp_path / "timings.csv").open() as file:
        assert all(float(row["seconds"]) >= 0.1 for row in csv.DictReader(file))
