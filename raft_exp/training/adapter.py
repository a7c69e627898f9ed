"""Lean LoRA layers: one matrix product computes the adapter's output and adds it to the output of the base layer.

PEFT computes `result + B(A(x)) * scaling`: after the products, two operations that read and write a tensor as large as
the layer's output, and two more in the backward pass. Here one operation multiplies by B, scales the product, and adds
it to the base layer's output in place. The backward pass adds the adapter's part of the gradient of x in the same way.
The results differ from PEFT's by rounding only: the product is scaled before it is rounded to 16 bits, not after. The
tensors that are saved for the backward pass are the same.
"""

from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora.layer import Linear
from torch import Tensor, nn
from torch.nn.functional import linear

if TYPE_CHECKING:
    from peft import PeftModel

# Types of devices on which layers use the lean form. On a CPU they use PEFT's, so that its results stay the same.
ON: tuple[str, ...] = ("cuda",)


def use_lean_layers(model: "PeftModel") -> None:
    """Turns PEFT's LoRA layers of nn.Linear into lean layers. LoRA layers of other modules stay as they are."""
    for module in model.modules():
        if type(module) is Linear and type(module.base_layer) is nn.Linear and not module.fan_in_fan_out:
            module.__class__ = LeanLinear


class LeanLinear(Linear):  # type: ignore[misc] # PEFT has no types
    """A LoRA layer of an nn.Linear that computes the lean form if possible, else PEFT's form.

    The lean form needs a device in `ON`, a frozen base layer, equal data types of base layer and adapter, and one
    active adapter that is not merged and has neither DoRA nor a bias.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Returns the output of the base layer plus that of the adapter."""
        name = None if args or kwargs else self._lean_adapter(x)
        if name is None:
            output: Tensor = super().forward(x, *args, **kwargs)
            return output
        base, first, second = self.base_layer, self.lora_A[name].weight, self.lora_B[name].weight
        x = x.to(base.weight.dtype)
        dropout = self.lora_dropout[name]
        dropped = dropout(x) if dropout.training and not isinstance(dropout, nn.Identity) else None
        if torch.compiler.is_compiling():
            first, second = first.to(x.dtype), second.to(x.dtype)
            output, _ = opaque_forward(x, dropped, base.weight, base.bias, first, second, self.scaling[name])
        else:
            output = _Lean.apply(x, dropped, base.weight, base.bias, first, second, self.scaling[name])
        return output

    def _lean_adapter(self, x: Tensor) -> str | None:
        """Returns the name of the active adapter if the lean form is possible, else None."""
        device = x.device.type
        if device not in ON or self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return None
        name: str = self.active_adapters[0]
        if name not in self.lora_A or name in self.lora_variant or self.lora_bias[name]:
            return None
        base, weight = self.base_layer, self.lora_A[name].weight
        if base.weight.requires_grad or (base.bias is not None and base.bias.requires_grad):
            return None
        # Base layer and adapter must compute in the same data type.
        if torch.is_autocast_enabled(device):
            return name if base.weight.dtype == torch.get_autocast_dtype(device) else None
        return name if base.weight.dtype == weight.dtype == x.dtype else None


def _forward(
    x: Tensor,
    dropped: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    first: Tensor,
    second: Tensor,
    scaling: float,
) -> tuple[Tensor, Tensor]:
    """Returns the output and the adapter's inner states [tokens, r]. All tensors have the same data type.

    `dropped`: x after dropout; None without dropout. `first`, `second`: the adapter's matrices A and B.
    """
    inner = _flat(x if dropped is None else dropped) @ first.t()
    output = linear(_flat(x), weight, bias).addmm_(inner, second.t(), alpha=scaling)
    return output.view(*x.shape[:-1], len(weight)), inner


def _backward(
    gradient: Tensor,
    inputs: Tensor,
    inner: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
    scaling: float,
    dropout: bool,
    of_input: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
    """Returns the gradients of x (None unless `of_input`), of x after dropout (None without dropout), of A and of B.

    `inputs`: the adapter's input. `dropout`: whether the adapter's input is x after dropout. `of_input`: whether to
    compute the gradient of x.
    """
    rows = _flat(gradient)
    of_inner = inner.new_empty(inner.shape).addmm_(rows, second, beta=0, alpha=scaling)
    of_second = second.new_empty(second.shape).addmm_(rows.t(), inner, beta=0, alpha=scaling)
    of_first = of_inner.t() @ _flat(inputs)
    of_dropped = (of_inner @ first).view(inputs.shape) if dropout else None
    if not of_input:
        return None, of_dropped, of_first, of_second
    of_x = rows @ weight
    if not dropout:
        of_x.addmm_(of_inner, first)
    return of_x.view(inputs.shape), of_dropped, of_first, of_second


def _flat(states: Tensor) -> Tensor:
    return states.reshape(-1, states.shape[-1])


class _Lean(torch.autograd.Function):
    """The lean form for autograd. The adapter's weights are cast once; the backward pass uses the same copies."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dropped: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        first: Tensor,
        second: Tensor,
        scaling: float,
    ) -> Tensor:
        """Returns the output of the layer."""
        ctx.types, ctx.scaling, ctx.dropout = (first.dtype, second.dtype), scaling, dropped is not None
        first, second = first.to(x.dtype), second.to(x.dtype)
        output, inner = _forward(x, dropped, weight, bias, first, second, scaling)
        ctx.save_for_backward(x if dropped is None else dropped, inner, weight, first, second)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Returns the gradients of x, of x after dropout, and of the adapter's weights."""
        inputs, inner, weight, first, second = ctx.saved_tensors
        of_x, of_dropped, of_first, of_second = _backward(
            gradients[0], inputs, inner, weight, first, second, ctx.scaling, ctx.dropout, ctx.needs_input_grad[0]
        )
        return of_x, of_dropped, None, None, of_first.to(ctx.types[0]), of_second.to(ctx.types[1]), None


# In compiled decoder layers, the lean form is one opaque operation. Otherwise the compiler would replace the in-place
# addition by an addition that first copies the output.


@torch.library.custom_op("raft_exp::lean_lora", mutates_args=())
def opaque_forward(
    x: Tensor,
    dropped: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    first: Tensor,
    second: Tensor,
    scaling: float,
) -> tuple[Tensor, Tensor]:
    """Computes `_forward` as one operation of torch."""
    return _forward(x, dropped, weight, bias, first, second, scaling)


@torch.library.custom_op("raft_exp::lean_lora_backward", mutates_args=())
def opaque_backward(
    gradient: Tensor,
    inputs: Tensor,
    inner: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
    scaling: float,
    dropout: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Computes `_backward` as one operation of torch. Without dropout the second result is empty."""
    of_x, of_dropped, of_first, of_second = _backward(
        gradient, inputs, inner, weight, first, second, scaling, dropout, True
    )
    assert of_x is not None
    return of_x, gradient.new_empty(0) if of_dropped is None else of_dropped, of_first, of_second


@opaque_forward.register_fake
def _(
    x: Tensor,
    dropped: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    first: Tensor,
    second: Tensor,
    scaling: float,
) -> tuple[Tensor, Tensor]:
    tokens = x.numel() // x.shape[-1]
    return x.new_empty((*x.shape[:-1], weight.shape[0])), x.new_empty((tokens, first.shape[0]))


@opaque_backward.register_fake
def _(
    gradient: Tensor,
    inputs: Tensor,
    inner: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
    scaling: float,
    dropout: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    of_x = inputs.new_empty(inputs.shape)
    of_dropped = inputs.new_empty(inputs.shape) if dropout else gradient.new_empty(0)
    return of_x, of_dropped, first.new_empty(first.shape), second.new_empty(second.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, dropped, weight, _, first, second, ctx.scaling = inputs
    ctx.dropout = dropped is not None
    ctx.save_for_backward(x if dropped is None else dropped, output[1], weight, first, second)


def _opaque_gradients(ctx: Any, gradient: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    of_x, of_dropped, of_first, of_second = opaque_backward(gradient, *ctx.saved_tensors, ctx.scaling, ctx.dropout)
    return of_x, of_dropped if ctx.dropout else None, None, None, of_first, of_second, None


opaque_forward.register_autograd(_opaque_gradients, setup_context=_save)
