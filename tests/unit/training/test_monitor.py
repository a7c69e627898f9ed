"""What a training says of itself: warnings, and figures of speed and cost."""

import csv
import logging

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from raft_exp.models import loading as models
from raft_exp.training import data, layers, packed, weights
from raft_exp.training.data import TrainingPlan
from raft_exp.training.loss import token_losses
from raft_exp.training.monitor import TrainingMonitor
from raft_exp.training.rows import Rows, read
from raft_exp.training.speed import StepCost
from raft_exp.training.stage import train
from tests.helpers import small_training as small


def told(caplog, losses, norms=None) -> list[str]:
    signs = TrainingMonitor(len(losses))
    with caplog.at_level(logging.WARNING):
        for step, loss in enumerate(losses, 1):
            signs.step(step, loss, norms[step - 1] if norms else 1.0)
    return [record.getMessage() for record in caplog.records]


def test_a_loss_that_does_not_fall_is_told_once(caplog):
    noise = np.random.default_rng(0).normal(2.0, 0.1, 300)
    [message] = told(caplog, noise.tolist())
    assert message.startswith("step 50: the loss does not fall: ")
    assert "trainer.learning_rate" in message


def test_a_loss_that_falls_is_not_told(caplog):
    assert told(caplog, [2.0 * 0.995**step for step in range(300)]) == []
    assert told(caplog, [2.0] * 20) == [], "too few steps to say so"


def test_a_gradient_that_explodes_is_told_once(caplog):
    norms = [1.0] * 300
    norms[200] = norms[250] = 100.0
    [message] = told(caplog, [2.0 * 0.99**step for step in range(300)], norms)
    assert message.startswith("step 201: the gradient's norm is 100; the median of recent steps is 1")


@pytest.mark.slow
def test_a_training_without_a_step_forward_says_so(tmp_path, caplog):
    rows = small.dataset(tmp_path / "rows", train=4, validation=0)
    with caplog.at_level(logging.WARNING):
        train(small.train_stage(learning_rate=1e-9, max_steps=50, batch_size=2), dataset=rows, out=tmp_path)
    assert [record for record in caplog.records if "the loss does not fall" in record.getMessage()]


def test_timings_count_real_tokens(tmp_path):
    rows = small.dataset(tmp_path / "rows", train=7, validation=0)
    (tmp_path / "out").mkdir()
    train(small.train_stage(max_steps=2, batch_size=4), dataset=rows, out=tmp_path / "out")
    with (tmp_path / "out" / "timings.csv").open() as file:
        found = list(csv.DictReader(file))
    tokenizer = models.load_tokenizer("asset:tiny")
    encoded = read(rows, "train", tokenizer, 512, tmp_path / "again")
    assert sum(int(row["tokens"]) for row in found) == encoded.lengths.sum()  # two steps: every row once
    for row in found:
        assert float(row["tokens_per_second"]) == pytest.approx(int(row["tokens"]) / float(row["seconds"]), rel=1e-3)


def lengths(*sizes: int, learned: int = 4) -> Rows:
    flat = np.arange(sum(sizes), dtype=np.int32) % 2000
    return Rows([f"q{n}" for n in range(len(sizes))], flat, np.cumsum(sizes), np.full(len(sizes), learned))


def test_operations_are_those_that_torch_counts():
    model = models.load(small.model_config())
    packed.use_packed_attention(model)
    model = weights.add_adapter(model, small.train_stage(dropout=0.0).lora, seed=0).train()
    rows = lengths(100, 60)
    with FlopCounterMode(display=False) as counter:
        token_losses(model, data.pack(rows, [0, 1])).sum().backward()
    counted = counter.get_total_flops()
    expected = StepCost.of(model)(TrainingPlan(rows, [[0, 1]]), 0)
    # torch counts the whole square of the attention, and the first layer needs no gradient of its input
    assert expected == pytest.approx(counted, rel=0.25)


def test_kept_activations_are_measured(tmp_path):
    model = models.load(small.model_config())
    packed.use_packed_attention(model)
    model = weights.add_adapter(model, small.train_stage(dropout=0.0).lora, seed=0).train()
    one, two = (layers.activation_bytes(model, data.pack(lengths(size), [0])) for size in (200, 400))
    assert 1.8 < two / one < 2.2
    hidden = 400 * 64 * torch.float32.itemsize
    assert two > 10 * hidden
    layers.checkpoint_activations(model)
    assert layers.activation_bytes(model, data.pack(lengths(400), [0])) < 0.5 * two


def test_every_recipe_has_the_same_questions_in_every_step():
    short, long = lengths(*[20] * 30), lengths(*np.random.default_rng(0).integers(50, 900, 30).tolist())
    plans = [TrainingPlan.make(rows, 5, 8, 2, -1) for rows in (short, long)]
    assert plans[0].steps == plans[1].steps
    for packing in (True, False):
        for step in range(len(plans[0].steps)):
            parts = [list(data.MicroBatches(plan, 0, 4, 0, 1, packing))[4 * step : 4 * step + 4] for plan in plans]
            seen = [sorted(number for _, numbers in part for number in numbers) for part in parts]
            assert seen[0] == seen[1] == sorted(plans[0].steps[step])
