"""QLoRA on one GPU: `pytest -m gpu tests/gpu`, with the extra [qlora]; RAFT_EXP_GPU_TESTS=cpu tries it on a CPU."""

import csv
import json
from dataclasses import replace

import pytest
import torch

from raft_exp.evaluation.stage import evaluate
from raft_exp.models import loading
from raft_exp.models.merge import merge
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.training import data, packed, weights
from raft_exp.training.loss import token_losses
from raft_exp.training.rows import read
from raft_exp.training.stage import train
from tests.gpu import test_training as gpu
from tests.gpu.test_training import ACCELERATOR, DEVICE, on_device
from tests.helpers import small_training as small

pytestmark = gpu.pytestmark
pytest.importorskip("bitsandbytes", reason="needs the extra [qlora]")

NF4 = {**small.values("model", "pocket"), "quantize": "nf4"}


def logits(model):
    with torch.no_grad():
        return model(torch.arange(5, 45, device=model.device)[None]).logits.float().cpu()


def loss_and_gradient(rows, split: str, dtype: str) -> tuple[float, torch.Tensor]:
    base = loading.load(small.model_config(**NF4 | {"dtype": dtype}), DEVICE)
    if split == "packed":
        packed.use_packed_attention(base)
    model = weights.add_adapter(base, small.train_stage(dropout=0.0).lora, 0).train()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.sin(torch.arange(weight.numel())).reshape(weight.shape) * 0.05)
    numbers, total = list(range(len(rows))), 0.0
    for part in [[number] for number in numbers] if split == "one by one" else [numbers]:
        batch = on_device(data.collate(rows, part, split == "packed"))
        with torch.autocast(DEVICE, torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = token_losses(model, batch).sum()
        loss.backward()
        total += loss.item()
    return total, torch.cat([weight.grad.flatten().double().cpu() for weight in weights.weights(model).values()])


@pytest.mark.parametrize(("dtype", "losses", "gradients"), [("float32", 1e-5, 1e-4), ("bfloat16", 5e-3, 5e-2)])
def test_packed_padded_and_one_by_one_are_the_same(tmp_path, rows, dtype, losses, gradients):
    some = read(rows, "train", loading.load_tokenizer("asset:pocket"), 512, tmp_path / "rows")
    loss, gradient = loss_and_gradient(some, "one by one", dtype)
    for split in ("packed", "padded"):
        our_loss, our_gradient = loss_and_gradient(some, split, dtype)
        assert our_loss == pytest.approx(loss, rel=losses), split
        assert float((our_gradient - gradient).norm() / gradient.norm()) < gradients, split


@pytest.mark.parametrize("checkpointing", [False, True, "auto"])
def test_the_base_of_the_training_answers_and_is_merged(tmp_path, rows, checkpointing):
    settings = {"accelerator": ACCELERATOR, "max_steps": 12, "activation_checkpointing": checkpointing}
    config = small.train_stage(model=NF4, **settings)
    config = replace(config, trainer=replace(config.trainer, precision="auto").resolved(config.model.dtype))
    out = tmp_path / "out"
    out.mkdir()
    train(config, dataset=rows, out=out)
    with (out / "metrics.csv").open() as file:
        metrics = list(csv.DictReader(file))
    assert float(metrics[-1]["loss"]) < float(metrics[0]["loss"])
    learned = TrainedWeights.open(out)
    expected = logits(learned.load(config.model, DEVICE))
    merge(config.model, learned.adapter, tmp_path / "merged")
    whole = loading.load(small.model_config(**small.values("model", "pocket", name_or_path=str(tmp_path / "merged"))))
    assert float((logits(whole) - expected).norm() / expected.norm()) < 1e-3
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    test = small.dataset(tmp_path / "test", train=0, validation=0, test=2)
    (tmp_path / "answers").mkdir()
    engine = small.engine_config(accelerator=ACCELERATOR)
    evaluate(small.evaluate_stage(model=NF4, engine=engine), test=test, adapter=out, out=tmp_path / "answers")
    assert len((tmp_path / "answers" / "answers.jsonl").read_text().splitlines()) == 2
