"""Attention over packed rows: rows stand behind one another [1, tokens], and none sees another.

On a GPU in 16 bits it is torch's variable-length flash attention, one kernel for all rows. Elsewhere each row has its
own call (FlexAttention has no backward on a CPU, and one dense mask over all rows costs several times as much).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from raft_exp.core.errors import ModelError

NAME = "raft_packed"
_UNKNOWN = ("softcap", "s_aux", "position_bias")  # what some models' attention has besides, and ours has not
_REMEDY = "use trainer.packing=false, or another model"


def use_packed_attention(model: Any) -> None:
    """Lets a transformers model attend by packed rows. ModelError for a model whose layers would mix rows."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attention)
    model.set_attn_implementation(NAME)
    if model.config._attn_implementation != NAME:
        raise ModelError(f"trainer.packing=true: {type(model).__name__} has attention of its own; {_REMEDY}")
    _check(model)


def attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """transformers' attention interface: [1, heads, tokens, size] to [1, tokens, heads, size].

    `cu_seq_lens_q` [rows + 1] says where rows begin and end, `max_length_q` how long the longest is.
    """
    if "cu_seq_lens_q" not in kwargs:
        raise ValueError("packed attention needs cu_seq_lens_q: make the batch with data.pack")
    if strange := [name for name in _UNKNOWN if kwargs.get(name) is not None]:
        raise ModelError(f"trainer.packing=true: the model's attention has {', '.join(strange)}; {_REMEDY}")
    if query.is_cuda and value.dtype in (torch.float16, torch.bfloat16) and key.shape[-1] == value.shape[-1] <= 256:
        return _by_kernel(query, key, value, **kwargs), None
    return _row_by_row(query, key, value, **kwargs), None


@torch.compiler.disable  # row lengths differ from batch to batch: the layers around it are compiled, this is not
def _row_by_row(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    cu_seq_lens_q: Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> Tensor:
    if query.is_cuda and query.shape[1] != key.shape[1]:  # whose kernels for 32 bits know no groups
        key, value = (states.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for states in (key, value))
    sizes = cu_seq_lens_q.diff().tolist()
    rows = []
    for q, k, v in zip(query.split(sizes, 2), key.split(sizes, 2), value.split(sizes, 2), strict=True):
        mask = _window(q.shape[2], sliding_window, q.device)
        rows.append(
            scaled_dot_product_attention(
                q, k, v, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=k.shape[1] != q.shape[1]
            )
        )
    return torch.cat(rows, dim=2).transpose(1, 2)


def _by_kernel(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    if dropout:
        raise ModelError(f"trainer.packing=true: the model has attention_dropout={dropout}; {_REMEDY}")
    q, k, v = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
    window = (-1 if sliding_window is None else sliding_window - 1, 0)
    found = varlen_attn(
        q,
        k,
        v,
        cu_seq_lens_q,
        cu_seq_lens_q,
        max_length_q,
        max_length_q,
        scale=scaling,
        window_size=window,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    assert isinstance(found, Tensor)  # without its auxiliary outputs
    return found[None]


def _window(length: int, size: int | None, device: torch.device) -> Tensor | None:
    """A mask for a row longer than the model's sliding window; None where being causal says it all."""
    if size is None or length <= size:
        return None
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (distance >= 0) & (distance < size)


@torch.no_grad()
def _check(model: Any) -> None:
    """Changes the first of two rows: where the second one's hidden states change with it, layers mix rows."""
    ids = torch.arange(8).repeat(2, 2)
    ids[1, :8] = ids[1, :8].flip(0)
    device = next(model.parameters()).device
    found = [
        model(
            input_ids=row[None].to(device),
            position_ids=torch.arange(8, device=device).repeat(2)[None],
            cu_seq_lens_q=torch.tensor([0, 8, 16], dtype=torch.int32, device=device),
            max_length_q=8,
            logits_to_keep=8,
            use_cache=False,
        ).logits
        for row in ids
    ]
    if not torch.allclose(found[0], found[1], rtol=1e-3, atol=1e-3 * float(found[0].abs().max())):
        raise ModelError(f"trainer.packing=true: layers of {type(model).__name__} mix packed rows; {_REMEDY}")
