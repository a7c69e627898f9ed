"""LoRA layers that add the adapter's output inside its second matrix product."""

import peft
import pytest
import torch
import transformers
from peft.tuners.lora.layer import Linear

from raft_exp.training import adapter, weights
from raft_exp.training.config import LoraConfig

SHAPE = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
IDS = torch.arange(2 * 9).reshape(2, 9) % 60


def adapted(dropout: float = 0.0, dtype: torch.dtype = torch.float32, dora: bool = False):
    """A random model with an adapter whose weights are not zero."""
    torch.manual_seed(0)
    base = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SHAPE)).to(dtype)
    lora = LoraConfig(r=4, alpha=12, dropout=dropout, target_modules="all-linear", rslora=False, dora=dora)
    model = weights.add_adapter(base, lora, 0, mixed=dtype != torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape) * 0.1)
    return model.train()


def logits_and_gradients(model, seed: int = 2, mixed: bool = False) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(seed)
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits = model(input_ids=IDS, use_cache=False).logits
    torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), IDS.flatten(), reduction="sum").backward()
    return logits.detach().float(), {name: weight.grad.clone() for name, weight in weights.weights(model).items()}


@pytest.fixture
def lean(monkeypatch):
    """Uses the lean form on a CPU and counts its uses."""
    calls = []
    forward = adapter._forward

    def counted(*arguments):
        calls.append(1)
        return forward(*arguments)

    monkeypatch.setattr(adapter, "_forward", counted)
    monkeypatch.setattr(adapter, "ON", ("cpu",))
    return calls


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_logits_and_gradients_are_those_of_peft(monkeypatch, lean, dropout, checkpointing):
    model = adapted(dropout)
    ours = logits_and_gradients(model)
    assert len(lean) == 14  # 2 layers of 7 linear modules
    monkeypatch.setattr(adapter, "ON", ())
    theirs = logits_and_gradients(model)
    assert len(lean) == 14
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in theirs[1].items():
        assert gradient.abs().max() > 0, name
        assert distance(ours[1][name], gradient) < 1e-5, name
    if checkpointing:
        monkeypatch.setattr(adapter, "ON", ("cpu",))
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        again = logits_and_gradients(model)
        assert len(lean) == 14 + 28
        assert all(torch.equal(again[1][name], gradient) for name, gradient in ours[1].items())


def test_in_mixed_precision_it_is_as_close_to_float32_as_peft(monkeypatch, lean):
    exact = logits_and_gradients(adapted())
    model = adapted(dtype=torch.bfloat16)
    ours = logits_and_gradients(model, mixed=True)
    assert len(lean) == 28
    monkeypatch.setattr(adapter, "ON", ())
    theirs = logits_and_gradients(model, mixed=True)
    assert distance(ours[0], exact[0]) < 1.2 * distance(theirs[0], exact[0]) + 1e-3
    assert all(gradient.dtype == torch.float32 for gradient in ours[1].values())
    whole = [torch.cat([gradient.flatten() for gradient in found[1].values()]) for found in (ours, theirs, exact)]
    assert distance(whole[0], whole[2]) < 1.2 * distance(whole[1], whole[2]) + 1e-3


def test_on_a_cpu_trainings_keep_pefts_form():
    assert adapter.ON == ("cuda",)


def test_it_saves_what_peft_saves_for_the_backward_pass(monkeypatch, lean):
    sizes = []
    for on in ("cpu", "meta"):
        monkeypatch.setattr(adapter, "ON", (on,))
        model, saved = adapted(), {}
        parameters = {weight.data_ptr() for weight in model.parameters()}

        def pack(tensor, saved=saved, parameters=parameters):
            if tensor.data_ptr() not in parameters:
                saved[tensor.untyped_storage().data_ptr()] = tensor  # kept, so that no address comes twice
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=IDS, use_cache=False).logits.sum()
        sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in saved.values()))
    assert sizes[0] <= sizes[1]


def test_disabled_and_merged_adapters_are_left_to_peft(monkeypatch, lean):
    model = adapted()
    model.eval()
    with torch.no_grad():
        with_adapter = model(input_ids=IDS).logits
        used = len(lean)
        with model.disable_adapter():
            base = model(input_ids=IDS).logits
        model.merge_adapter()
        merged = model(input_ids=IDS).logits
        model.unmerge_adapter()
        assert len(lean) == used == 14
        again = model(input_ids=IDS).logits
        whole = model.merge_and_unload()
        unloaded = whole(input_ids=IDS).logits
    assert not torch.allclose(base, with_adapter, atol=1e-2)
    for other in (merged, again, unloaded):
        assert torch.allclose(other, with_adapter, atol=1e-5)
    assert not any(isinstance(module, Linear) for module in whole.modules())


def test_names_of_weights_are_pefts(lean):
    model = adapted()
    ours = set(peft.get_peft_model_state_dict(model))
    for module in model.modules():
        if isinstance(module, adapter.LeanLinear):
            module.__class__ = Linear
    assert set(peft.get_peft_model_state_dict(model)) == ours


def test_other_adapters_are_left_to_peft(lean):
    logits_and_gradients(adapted(dora=True))
    assert lean == []
    model = adapted()
    model.add_adapter("second", model.peft_config["default"])
    model.base_model.set_adapter(["default", "second"])
    model(input_ids=IDS)
    assert lean == []
    full = adapted()
    for weight in full.parameters():
        weight.requires_grad_(True)
    full(input_ids=IDS)
    assert lean == []


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_the_operation_of_compiled_layers_computes_the_same(dropout, bias):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 5, 8), torch.randn(6, 8)
    shift = torch.randn(6) if bias else None
    first, second = torch.randn(3, 8), torch.randn(6, 3)
    dropped = torch.nn.functional.dropout(x, 0.4) if dropout else None
    upstream = torch.randn(2, 5, 6)
    found = []
    for compiled in (False, True):
        leaves = [x.clone(), None if dropped is None else dropped.clone(), first.clone(), second.clone()]
        trained = [leaf.requires_grad_() for leaf in leaves if leaf is not None]
        arguments = (leaves[0], leaves[1], weight, shift, leaves[2], leaves[3], 0.7)
        output = adapter.opaque_forward(*arguments)[0] if compiled else adapter._Lean.apply(*arguments)
        found.append((output.detach(), *torch.autograd.grad(output, trained, upstream)))
    input_of_adapter = x if dropped is None else dropped
    expected = torch.nn.functional.linear(x, weight, shift) + input_of_adapter @ first.t() @ second.t() * 0.7
    assert torch.allclose(found[0][0], expected, atol=1e-5)
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    arguments = (x.requires_grad_(), dropped, weight, shift, first.requires_grad_(), second.requires_grad_(), 0.7)
    torch.library.opcheck(adapter.opaque_forward, arguments)
