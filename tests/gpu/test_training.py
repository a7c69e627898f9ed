"""Training on one GPU: `pytest -m gpu tests/gpu`, in at most five minutes.

RAFT_EXP_GPU_TESTS=cpu runs the same checks on a CPU, to try the tests themselves.
"""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch._dynamo.utils import counters

from raft_exp.core.errors import ModelError, StoppedError
from raft_exp.evaluation.stage import evaluate
from raft_exp.training import adapter, checkpoint, compilation, data, layers, module, packed, weights
from raft_exp.training.config import LoraConfig
from raft_exp.training.loss import negative_log_likelihood, token_losses
from raft_exp.training.rows import Rows
from raft_exp.training.stage import train
from tests.helpers import small_study
from tests.helpers import small_training as small
from tests.helpers.command_line import raft_exp, run_folder, statuses

ON_CPU = os.environ.get("RAFT_EXP_GPU_TESTS") == "cpu"
DEVICE, ACCELERATOR = ("cpu", "cpu") if ON_CPU else ("cuda", "gpu")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not (ON_CPU or torch.cuda.is_available()), reason="needs a CUDA device"),
]

SHAPE = {
    "vocab_size": 3000,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
FAMILIES = {  # name -> (config class, model class, settings)
    "Qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {}),
    "Qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {"head_dim": 64}),
    "Llama": ("LlamaConfig", "LlamaForCausalLM", {}),
    "Mistral with window": ("MistralConfig", "MistralForCausalLM", {"sliding_window": 128}),
    "Phi3": ("Phi3Config", "Phi3ForCausalLM", {"pad_token_id": 0}),
    "Gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", {"head_dim": 64, "sliding_window": 128}),
}


def random_rows(count=6, seed=0) -> Rows:
    random = np.random.default_rng(seed)
    sizes = [(int(random.integers(60, 500)), int(random.integers(5, 60))) for _ in range(count)]
    tokens = random.integers(3, SHAPE["vocab_size"], sum(map(sum, sizes))).astype(np.int32)
    ends = np.cumsum([sum(size) for size in sizes])
    return Rows([f"r{n}" for n in range(count)], tokens, ends, np.array([completion for _, completion in sizes]))


ROWS = random_rows()


def adapted(family: str, dtype: torch.dtype, packing: bool, dropout: float = 0.0, mixed: bool = False):
    """A random model with an adapter whose weights are not zero."""
    config, model, settings = FAMILIES[family]
    torch.manual_seed(0)
    base = getattr(transformers, model)(getattr(transformers, config)(**SHAPE | settings)).to(DEVICE, dtype)
    if packing:
        packed.use_packed_attention(base)
    lora = LoraConfig(r=8, alpha=16, dropout=dropout, target_modules="all-linear", rslora=False)
    network = weights.add_adapter(base, lora, seed=0, mixed=mixed).train()
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape) * 0.02)
    return network


def on_device(batch):
    if isinstance(batch, dict):
        return {name: on_device(value) for name, value in batch.items()}
    return batch.to(DEVICE) if isinstance(batch, torch.Tensor) else batch


def loss_and_gradient(network, split: str, mixed: bool) -> tuple[float, torch.Tensor]:
    """The summed loss of ROWS and its gradient; split is packed, padded or one by one."""
    numbers = list(range(len(ROWS)))
    total = 0.0
    for part in [[number] for number in numbers] if split == "one by one" else [numbers]:
        batch = on_device(data.collate(ROWS, part, split == "packed"))
        with torch.autocast(DEVICE, torch.bfloat16, enabled=mixed):
            loss = token_losses(network, batch).sum()
        loss.backward()
        total += loss.item()
    gradients = [weight.grad.flatten().double().cpu() for weight in weights.weights(network).values()]
    return total, torch.cat(gradients)


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float(((ours - theirs).norm() / theirs.norm()).detach())


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_padded_and_one_by_one_are_the_same(family):
    loss, gradient = loss_and_gradient(adapted(family, torch.float32, False), "one by one", mixed=False)
    for split in ("packed", "padded"):
        network = adapted(family, torch.float32, split == "packed")
        our_loss, our_gradient = loss_and_gradient(network, split, mixed=False)
        assert our_loss == pytest.approx(loss, rel=1e-5), split
        assert distance(our_gradient, gradient) < 1e-4, split
    errors = {}
    for split in ("one by one", "packed", "padded"):
        network = adapted(family, torch.bfloat16, split == "packed")
        our_loss, our_gradient = loss_and_gradient(network, split, mixed=True)
        assert our_loss == pytest.approx(loss, rel=5e-3), split
        errors[split] = distance(our_gradient, gradient)
    print(family, errors)
    assert max(errors.values()) < 0.05, errors
    assert errors["packed"] < 1.5 * errors["one by one"] + 2e-3, errors
    assert errors["padded"] < 1.5 * errors["one by one"] + 2e-3, errors


@pytest.mark.parametrize("heads", [(16, 2, 64), (4, 1, 256), (8, 8, 128)])
@pytest.mark.parametrize("window", [None, 50])
def test_the_kernel_of_packed_attention_is_exact(heads, window):
    queries, keys, size = heads
    torch.manual_seed(0)
    offsets = torch.tensor([0, 100, 101, 400], dtype=torch.int32, device=DEVICE)
    shapes = ((1, queries, 400, size), (1, keys, 400, size), (1, keys, 400, size))
    states = [torch.randn(shape, device=DEVICE, dtype=torch.bfloat16) for shape in shapes]
    whole = [state.float().requires_grad_() for state in states]
    short = [state.clone().requires_grad_() for state in states]

    def attention(query, key, value):
        options = {"cu_seq_lens_q": offsets, "max_length_q": 299, "scaling": size**-0.5, "sliding_window": window}
        return packed.attention(torch.nn.Identity(), query, key, value, None, **options)[0]

    expected, found = attention(*whole), attention(*short)
    assert distance(found.double(), expected.double()) < 1e-2
    upstream = torch.randn(expected.shape, device=DEVICE)
    expected.backward(upstream)
    found.backward(upstream.to(torch.bfloat16))
    for ours, theirs in zip(short, whole, strict=True):
        assert distance(ours.grad.double(), theirs.grad.double()) < 1e-2


def test_the_loss_in_place_is_that_of_cross_entropy():
    torch.manual_seed(0)
    logits = torch.randn(700, 5000, device=DEVICE, dtype=torch.bfloat16).requires_grad_()
    targets = torch.randint(0, 5000, (700,), device=DEVICE)
    expected = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    (gradient,) = torch.autograd.grad(expected.sum(), logits)
    ours = logits.detach().clone().requires_grad_()
    found = negative_log_likelihood(ours * 1.0, targets)
    (our_gradient,) = torch.autograd.grad(found.sum(), ours)
    assert distance(found.double(), expected.double()) < 5e-3
    assert distance(our_gradient.double(), gradient.double()) < 1e-2


def test_checkpointed_activations_are_the_same():
    plain = loss_and_gradient(adapted("Qwen2", torch.bfloat16, True), "packed", mixed=True)
    network = adapted("Qwen2", torch.bfloat16, True)
    layers.checkpoint_activations(network)
    again = loss_and_gradient(network, "packed", mixed=True)
    assert again[0] == pytest.approx(plain[0], rel=1e-5)
    assert distance(again[1], plain[1]) < 5e-3  # a GPU's attention adds gradients in any order


@pytest.mark.skipif(ON_CPU, reason="needs a C++ compiler on a CPU")
@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiled_layers_learn_the_same(checkpointing):
    loss, gradient = loss_and_gradient(adapted("Qwen2", torch.float32, False), "one by one", mixed=False)
    network = adapted("Qwen2", torch.bfloat16, True)
    compilation.compile_layers(network)
    if checkpointing:
        layers.checkpoint_activations(network)
    our_loss, our_gradient = loss_and_gradient(network, "packed", mixed=True)
    assert our_loss == pytest.approx(loss, rel=5e-3)
    assert distance(our_gradient, gradient) < 0.05


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("family", ["Qwen2", "Gemma3"])
def test_lean_layers_learn_what_pefts_do(monkeypatch, family, dropout):
    found = {}
    for dtype, mixed in ((torch.float32, False), (torch.bfloat16, True)):
        for on in ((DEVICE,), ()):
            monkeypatch.setattr(adapter, "ON", on)
            torch.manual_seed(0)
            found[dtype, bool(on)] = loss_and_gradient(adapted(family, dtype, True, dropout, mixed), "packed", mixed)
    for dtype, loss, gradient in ((torch.float32, 1e-5, 1e-4), (torch.bfloat16, 5e-3, 0.05)):
        lean, peft = found[dtype, True], found[dtype, False]
        assert lean[0] == pytest.approx(peft[0], rel=loss), dtype
        assert distance(lean[1], peft[1]) < gradient, dtype
    if not dropout:  # a mask is drawn anew for values of 16 bits
        exact = found[torch.float32, False][1]
        errors = [distance(found[torch.bfloat16, on][1], exact) for on in (True, False)]
        print(family, errors)
        assert errors[0] < 1.2 * errors[1] + 2e-3


@pytest.mark.skipif(ON_CPU, reason="compiles layers for a GPU")
def test_layers_are_compiled_for_all_lengths(monkeypatch, rows, tmp_path, caplog):
    """With trainer.compile=auto, as a stage does it; and the losses are those without compilation."""
    monkeypatch.setattr(compilation, "LONGER", 0.0)
    plain = trained(stage("bfloat16"), rows, tmp_path / "plain")
    counters.clear()
    with caplog.at_level(logging.INFO):
        compiled = trained(replace(stage("bfloat16"), may_compile=True), rows, tmp_path / "compiled")
    assert "layers are compiled (trainer.compile=auto)" in caplog.text
    print(dict(counters["stats"]))
    # for training, for the measurement of activations, for validation, and each of these perhaps once more
    assert 1 <= counters["stats"]["unique_graphs"] <= 6
    for ours, theirs in zip(compiled, plain, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.02)


@pytest.mark.skipif(ON_CPU, reason="compiles layers for a GPU")
@pytest.mark.parametrize("lean", [False, True])
def test_no_batch_compiles_the_layers_again(monkeypatch, lean):
    monkeypatch.setattr(adapter, "ON", (DEVICE,) if lean else ())
    network = adapted("Qwen2", torch.bfloat16, True)
    torch._dynamo.reset()
    compilation.compile_layers(network)
    counts = []
    for count in (4, 2, 6, 1, 5, 3):
        batch = on_device(data.pack(random_rows(count, seed=count), range(count)))
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = token_losses(network, batch).sum()
        loss.backward()
        counts.append(counters["stats"]["unique_graphs"])
    assert counts[-1] <= counts[0] + 1, counts


@pytest.mark.skipif(ON_CPU, reason="measures the memory of a GPU")
def test_a_measurement_of_activations_leaves_none_in_memory():
    network = adapted("Qwen2", torch.bfloat16, True)
    batch = on_device(data.pack(ROWS, range(len(ROWS))))
    with torch.autocast(DEVICE, torch.bfloat16):
        layers.activation_bytes(network, batch)
        before = torch.cuda.memory_allocated()
        for _ in range(3):
            measured = layers.activation_bytes(network, batch)
    assert measured > 10 * 2**20
    assert torch.cuda.memory_allocated() <= before + 2**20


# Trainings of the stage, with the embedded model in 32 and in 16 bits

GPU: dict = {
    "accelerator": ACCELERATOR,
    "activation_checkpointing": "auto",
    "max_steps": 6,
    "validate_every": 3,
    "accumulate": 2,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return small.dataset(tmp_path_factory.mktemp("dataset"), train=7, validation=3)


def stage(dtype: str = "float32", dropout: float = 0.0, **changes):
    config = small.train_stage(model={"dtype": dtype}, dropout=dropout, **GPU | {"precision": "auto"} | changes)
    return replace(config, trainer=config.trainer.resolved(config.model.dtype))


def metrics(out: Path) -> list[dict[str, float]]:
    with (out / "metrics.csv").open() as file:
        return [{name: float(value or 0) for name, value in row.items()} for row in csv.DictReader(file)]


def trained(config, rows: Path, out: Path) -> list[dict[str, float]]:
    out.mkdir(exist_ok=True)
    train(config, dataset=rows, out=out)
    return metrics(out)


@pytest.fixture(scope="module")
def on_one_cpu(rows, tmp_path_factory) -> list[dict[str, float]]:
    config = stage()
    config = replace(config, trainer=replace(config.trainer, accelerator="cpu"))
    return trained(config, rows, tmp_path_factory.mktemp("cpu"))


def test_a_float32_model_learns_what_it_learns_on_a_cpu(tmp_path, rows, on_one_cpu):
    config = stage()
    assert config.trainer.precision == "32-true"
    for ours, theirs in zip(trained(config, rows, tmp_path), on_one_cpu, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("changes", [{}, {"packing": False}, {"precision": "bf16-true"}], ids=str)
def test_a_bfloat16_model_learns_about_the_same(tmp_path, rows, on_one_cpu, changes):
    for ours, theirs in zip(trained(stage("bfloat16", **changes), rows, tmp_path), on_one_cpu, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.03)


def test_training_goes_on_after_sigterm(tmp_path, rows, monkeypatch):
    config = stage("bfloat16", dropout=0.1)
    whole = trained(config, rows, tmp_path / "whole")
    losses, calls = token_losses, []

    def signalled(network, batch):
        calls.append(1)
        if len(calls) == 3 * config.trainer.accumulate:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(network, batch)

    with monkeypatch.context() as patch:
        patch.setattr(module, "token_losses", signalled)
        with pytest.raises(StoppedError, match=r"stopped by SIGTERM after step [34] of 6; its state is saved"):
            trained(config, rows, tmp_path / "out")
    assert checkpoint.step(tmp_path / "out") in (3, 4)
    for ours, theirs in zip(trained(config, rows, tmp_path / "out"), whole, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-2)


SHARDED = """
import sys
from pathlib import Path
from tests.gpu.test_training import stage, train
train(stage("bfloat16", strategy=sys.argv[3]), dataset=Path(sys.argv[1]), out=Path(sys.argv[2]))
"""


def test_sharded_weights_on_one_device_learn_the_same(tmp_path, rows):
    outs, processes = [], []
    for strategy in ("auto", "fsdp"):  # in processes of their own: sharding needs a process group
        outs.append(tmp_path / strategy)
        outs[-1].mkdir()
        command = [sys.executable, "-c", SHARDED, str(rows), str(outs[-1]), strategy]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    for ours, theirs in zip(metrics(outs[1]), metrics(outs[0]), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.02)


@pytest.mark.skipif(ON_CPU, reason="asks for more memory than a GPU has")
def test_out_of_memory_says_what_to_change(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(module, "token_losses", lambda network, batch: torch.empty(2**50, device="cuda"))
    with pytest.raises(ModelError, match=r"^trainer.accumulate=2: out of memory while training"):
        trained(stage(), rows, tmp_path)


def test_the_engine_answers_as_on_a_cpu(tmp_path, rows):
    test = small.dataset(tmp_path / "test", train=0, validation=0, test=6)
    trained(stage(max_steps=40, learning_rate=5e-3), rows, tmp_path / "adapter")
    answers = {}
    for accelerator in ("cpu", ACCELERATOR):
        out = tmp_path / f"answers_{accelerator}"
        out.mkdir(exist_ok=True)
        config = small.evaluate_stage(engine=small.engine_config(accelerator=accelerator))
        evaluate(config, test=test, adapter=tmp_path / "adapter", out=out)
        lines = (out / "answers.jsonl").read_text().splitlines()
        answers[accelerator] = [json.loads(line)["raw"] for line in lines]
    assert len(answers["cpu"]) == 6
    same = sum(ours == theirs for ours, theirs in zip(answers[ACCELERATOR], answers["cpu"], strict=True))
    assert same >= 5, answers  # a tie in the last bit may fall either way


def test_the_embedded_study_in_its_short_form(tmp_path):
    overrides = ("trainer=cpu",) if ON_CPU else ("trainer=gpu",)
    done = raft_exp(tmp_path, *small_study.SMALL, *overrides)
    assert done.returncode == 0, done.stderr
    assert set(statuses(run_folder(tmp_path)).values()) == {"ran"}
    manifest = next((tmp_path / "store" / "train").glob("*/manifest.json"))
    assert json.loads(manifest.read_text())["config"]["trainer"]["precision"] == "32-true"
