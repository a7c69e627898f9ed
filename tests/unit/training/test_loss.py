"""The gradient of an optimiser step, whatever the micro-batches, against one computed from its definition."""

import math

import pytest
import torch

from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.models import loading as models
from raft_exp.training import data, loop, module, packed, weights
from raft_exp.training.data import TrainingPlan
from raft_exp.training.loss import negative_log_likelihood, token_losses
from raft_exp.training.rows import encode
from raft_exp.training.stage import train
from tests.helpers import small_training as small


class Recording(module.RaftModule):
    """Keeps the gradients of the first step, before they are clipped."""

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        if not hasattr(self, "gradients"):
            self.gradients = torch.cat([weight.grad.flatten().clone() for weight in self.trainable().values()])
        super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    examples = [small.example(n, "train", passages=1 + n % 4) for n in range(6)]
    # replies of very different length: a mean of means would be far from the mean
    examples[0].messages[-1]["content"] += " because it says so" * 8
    return encode(examples, models.load_tokenizer("asset:tiny"), 512, tmp_path_factory.mktemp("rows"))


def network(kind: str):
    """A random model with grouped queries and rotary positions, or the embedded one."""
    import transformers

    if kind == "tiny":
        return models.load(small.model_config())
    shape = {
        "vocab_size": 2048,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "head_dim": 16,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    more = {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1} if kind == "Qwen2 window" else {}
    family = kind.split()[0]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        config = getattr(transformers, f"{family}Config")(**shape, **more)
        return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def adapted(kind="tiny", packing=True):
    model = network(kind)
    if packing:
        packed.use_packed_attention(model)
    model = weights.add_adapter(model, small.train_stage(dropout=0.0).lora, seed=3)
    with torch.no_grad():  # lora_B starts at zero, which would leave lora_A without gradient
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02, generator=torch.Generator().manual_seed(len(name)))
    return model


def one_step(rows, monkeypatch, tmp_path, accumulate, packing):
    monkeypatch.setattr(loop, "RaftModule", Recording)
    config = small.trainer_config(batch_size=12, accumulate=accumulate, max_steps=1, packing=packing)
    plan = TrainingPlan.make(rows, 0, config.batch_size, 1, 1)
    nothing = encode([], None, 512, tmp_path / "nothing")
    module, _ = loop.fit(adapted(packing=packing), config, plan, nothing, 0, tmp_path, [])
    return module


def by_definition(rows, kind="tiny"):
    """Mean over all supervised tokens, one row at a time, from full logits by transformers' own attention."""
    model = adapted(kind, packing=False).train()
    nll = []
    for number in range(len(rows)):
        ids = torch.from_numpy(rows.row(number).astype("int64"))
        logits = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        first = len(ids) - int(rows.completions[number])
        nll += [-logits[place - 1, ids[place]] for place in range(first, len(ids))]
    loss = torch.stack(nll).mean()
    loss.backward()
    return loss.item(), gradients_of(model)


def gradients_of(model):
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("accumulate", [1, 4, 12, "auto"])
def test_a_step_is_the_mean_over_its_supervised_tokens(rows, monkeypatch, tmp_path, accumulate, packing):
    monkeypatch.setattr(data, "ENOUGH", -(-int(rows.lengths.sum()) // 3))  # a third of the step: auto is 3
    trained = one_step(rows, monkeypatch, tmp_path, accumulate, packing)  # 12 micro-batches of 6 rows: some are empty
    assert trained.accumulate == (3 if accumulate == "auto" else accumulate)
    loss, gradients = by_definition(rows)
    assert trained.step_metrics["loss"] == pytest.approx(loss, rel=1e-5)
    assert float((trained.gradients - gradients).norm() / gradients.norm()) < 1e-5
    assert trained.step_metrics["grad_norm"] == pytest.approx(float(gradients.norm()), rel=1e-5)


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Qwen2 window", "Qwen3", "tiny"])
@pytest.mark.parametrize("split", ["together", "one by one", "padded"])
def test_packed_padded_and_one_by_one_are_the_same(rows, kind, split):
    packing = split != "padded"
    model = adapted(kind, packing).train()
    everything = list(range(len(rows)))
    batches = [[number] for number in everything] if split == "one by one" else [everything]
    losses = [token_losses(model, data.collate(rows, numbers, packing)) for numbers in batches]
    loss = torch.cat(losses).mean()
    loss.backward()
    expected, gradients = by_definition(rows, kind)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert float((gradients_of(model) - gradients).norm() / gradients.norm()) < 1e-5


def test_packed_rows_do_not_see_each_other(rows):
    model = adapted("Qwen2").eval()
    batch = data.pack(rows, [0, 1, 2])
    other = data.pack(rows, [3, 1, 4])
    with torch.no_grad():
        found, again = (token_losses(model, one) for one in (batch, other))
    middle = slice(int(rows.completions[0]), int(rows.completions[0]) + int(rows.completions[1]))
    there = slice(int(rows.completions[3]), int(rows.completions[3]) + int(rows.completions[1]))
    assert torch.allclose(found[middle], again[there], rtol=1e-6)


def test_a_model_whose_layers_mix_packed_rows_is_refused():
    model = network("Llama")
    mix = model.model.norm.forward
    model.model.norm.forward = lambda states: mix(states + states.cumsum(dim=1))  # as a recurrent layer would
    with pytest.raises(ModelError, match=r"trainer\.packing=true: layers of LlamaForCausalLM mix tokens of"):
        packed.use_packed_attention(model)


def test_the_head_makes_logits_for_supervised_positions_alone(rows):
    model = adapted()
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda _, __, logits: seen.append(logits.shape))
    token_losses(model, data.pack(rows, [0, 1, 2]))
    assert seen == [(1, int(rows.completions[:3].sum()), 2048)]


def test_the_loss_and_its_gradient_in_place_are_those_of_cross_entropy():
    logits = torch.randn(2500, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).float()
    targets, scale = torch.arange(2500) % 7, torch.linspace(0, 2, 2500)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    found = negative_log_likelihood(ours * 1.0, targets)
    expected = torch.nn.functional.cross_entropy(theirs * 1.0, targets, reduction="none")
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-6)
    (found * scale).sum().backward()
    (expected * scale).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)


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
    with pytest.raises(ConfigError, match=r"trainer.batch_size=4 must be a multiple of \d+ \(3 devices"):
        train(small.train_stage(), dataset=small.dataset(tmp_path / "rows"), out=tmp_path)
