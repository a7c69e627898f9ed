"""The gradient of an optimiser step, whatever the micro-batches, against one computed from its definition."""

import math

import pytest
import torch

from raft_exp import models
from raft_exp.errors import ConfigError, ModelError
from raft_exp.stages.train import train
from raft_exp.training import data, loop, module
from raft_exp.training.data import Plan
from tests import small


class Recording(module.RaftModule):
    """Keeps the gradients of the first step, before they are clipped."""

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        if not hasattr(self, "gradients"):
            self.gradients = torch.cat([weight.grad.flatten().clone() for weight in self.trainable().values()])
        super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)


@pytest.fixture(scope="module")
def rows():
    examples = [small.example(n, "train", passages=1 + n % 4) for n in range(6)]
    # replies of very different length: a mean of means would be far from the mean
    examples[0].messages[-1]["content"] += " because it says so" * 8
    return data.encode(examples, models.load_tokenizer("asset:tiny"), 512)


def adapted():
    config = small.train_stage(dropout=0.0)
    model = module.add_adapter(models.load(config.model), config.lora, seed=3)
    with torch.no_grad():  # lora_B starts at zero, which would leave lora_A without gradient
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02, generator=torch.Generator().manual_seed(len(name)))
    return model


def one_step(rows, monkeypatch, tmp_path, accumulate):
    monkeypatch.setattr(loop, "RaftModule", Recording)
    config = small.trainer_config(batch_size=12, accumulate=accumulate, max_steps=1)
    plan = Plan.make(rows, 0, config.batch_size, 1, 1)
    nothing = data.encode([], None, 512)
    return loop.fit(adapted(), config, plan, nothing, 0, tmp_path, [])


def by_definition(rows):
    """Mean over all supervised tokens, one row at a time, from full logits."""
    model = adapted().train()
    nll = []
    for number in range(len(rows)):
        ids = torch.from_numpy(rows.row(number).astype("int64"))
        logits = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        first = len(ids) - int(rows.completions[number])
        nll += [-logits[place - 1, ids[place]] for place in range(first, len(ids))]
    loss = torch.stack(nll).mean()
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize("accumulate", [1, 4, 12])
def test_a_step_is_the_mean_over_its_supervised_tokens(rows, monkeypatch, tmp_path, accumulate):
    trained = one_step(rows, monkeypatch, tmp_path, accumulate)  # 12 micro-batches of 6 rows: some are empty
    loss, gradients = by_definition(rows)
    assert trained.step_metrics["loss"] == pytest.approx(loss, rel=1e-5)
    assert float((trained.gradients - gradients).norm() / gradients.norm()) < 1e-5
    assert trained.step_metrics["grad_norm"] == pytest.approx(float(gradients.norm()), rel=1e-5)


def test_learning_rate_warms_up_and_falls_to_zero():
    factors = [module.learning_rate_factor(step, 10, 2) for step in range(10)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[2:] == sorted(factors[2:], reverse=True)
    assert module.learning_rate_factor(10, 10, 2) == pytest.approx(0, abs=1e-12)
    assert module.learning_rate_factor(6, 10, 2) == pytest.approx(0.5)


def test_a_loss_that_is_no_number_names_step_and_rows(monkeypatch, tmp_path):
    calls = []

    def broken(model, batch):
        calls.append(batch)
        losses = token_losses(model, batch)
        return losses * math.nan if len(calls) == 2 else losses

    token_losses = module.token_losses
    monkeypatch.setattr(module, "token_losses", broken)
    with pytest.raises(
        ModelError, match=r"loss is nan at step 2 \(rows q0, q1\)|loss is nan at step 2 \(rows q1, q0\)"
    ):
        train(small.train_stage(batch_size=2), dataset=small.dataset(tmp_path / "rows", 2, 0), out=tmp_path)
    assert not (tmp_path / "adapter").exists()


def test_micro_batches_must_divide_the_batch():
    with pytest.raises(ValueError, match=r"trainer.accumulate=3 does not divide trainer.batch_size=4"):
        small.trainer_config(accumulate=3)


def test_devices_must_share_the_batch(monkeypatch, tmp_path):
    from pytorch_lightning import Trainer

    monkeypatch.setattr(Trainer, "world_size", property(lambda self: 3))
    with pytest.raises(ConfigError, match=r"trainer.batch_size=4 cannot be shared evenly by 3 devices"):
        train(small.train_stage(), dataset=small.dataset(tmp_path / "rows"), out=tmp_path)
