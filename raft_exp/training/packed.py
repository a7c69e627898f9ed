"""Attention over packed rows: rows are concatenated to [1, tokens], and each token attends only to its own row.

On a GPU with 16-bit values and heads of at most 256 values, torch's variable-length flash attention computes all rows
in one kernel. Elsewhere attention is called once per row: FlexAttention has no backward pass on a CPU, and a dense mask
over all rows is several times as slow.
"""

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention

from raft_exp.core.errors import ModelError
from raft_exp.models.loading import is_out_of_memory

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

NAME = "raft_packed"
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # arguments of some models' attention that packing cannot compute
_REMEDY = "use trainer.packing=false, or another model"


def takes_enable_gqa(kernel: Callable[..., object]) -> bool:
    """Whether `kernel` (varlen_attn) has the argument `enable_gqa`; torch 2.11 supports grouped heads without one."""
    return "enable_gqa" in inspect.signature(kernel).parameters


_ENABLE_GQA = takes_enable_gqa(varlen_attn)


def use_packed_attention(model: "PreTrainedModel") -> None:
    """Sets packed attention in a transformers model.

    Raises ModelError if the model rejects packed rows, or if one packed row influences another. After any error the
    model has its own attention again.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attention)
    own = model.config._attn_implementation
    try:
        model.set_attn_implementation(NAME)
        if model.config._attn_implementation != NAME:
            raise ModelError(
                f"trainer.packing=true: {type(model).__name__} has no exchangeable attention (AttentionInterface of "
                f"transformers); {_REMEDY}"
            )
        _check(model)
    except Exception as error:
        model.set_attn_implementation(own)
        if isinstance(error, ModelError) or is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        message = f"trainer.packing=true: {type(model).__name__} fails on packed rows ({reason}); {_REMEDY}"
        raise ModelError(message) from error


def pack_where_possible(model: "PreTrainedModel", by_kernel: bool) -> bool:
    """Sets packed attention if the model supports it; else logs the reason. Returns whether rows are packed.

    `by_kernel`: whether a GPU's 16-bit kernel will compute the attention. This kernel has no attention dropout.
    """
    try:
        if by_kernel and (dropout := _attention_dropout(model)):
            raise ModelError(f"trainer.packing=true: the model has attention_dropout={dropout}; {_REMEDY}")
        use_packed_attention(model)
    except ModelError as error:
        reason = str(error).removeprefix("trainer.packing=true: ").removesuffix(f"; {_REMEDY}")
        log.warning("rows are padded instead of packed: %s", reason)
        return False
    return True


def _attention_dropout(model: "PreTrainedModel") -> float:
    config = model.config.get_text_config(decoder=True)
    names = ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob", "attn_dropout")
    return max(float(getattr(config, name, None) or 0.0) for name in names)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **others: object,
) -> tuple[Tensor, None]:
    """Computes packed attention (transformers' attention interface).

    Query, key and value have shape [1, heads, tokens, size]; the result has shape [1, tokens, heads, size].
    `cu_seq_lens_q`: shape [rows + 1], the offset of each row, then the number of all tokens. `max_length_q`: tokens of
    the longest row. Raises ValueError without these two, and ModelError for arguments of the model's attention that
    packing does not support.
    """
    if cu_seq_lens_q is None or max_length_q is None:
        raise ValueError("packed attention needs cu_seq_lens_q and max_length_q: make the batch with data.pack")
    if unsupported := [name for name in _UNSUPPORTED if others.get(name) is not None]:
        raise ModelError(
            f"trainer.packing=true: the model's attention uses {', '.join(unsupported)}, which packing cannot compute; "
            f"{_REMEDY}"
        )
    if query.is_cuda and value.dtype in (torch.float16, torch.bfloat16) and key.shape[-1] == value.shape[-1] <= 256:
        result = _by_kernel(query, key, value, cu_seq_lens_q, max_length_q, scaling, dropout, sliding_window)
    else:
        result = _row_by_row(query, key, value, cu_seq_lens_q, scaling, dropout, sliding_window)
    return result, None


@torch.compiler.disable  # row lengths differ between batches, so each batch would be compiled again
def _row_by_row(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_lens_q: Tensor,
    scaling: float | None,
    dropout: float,
    sliding_window: int | None,
) -> Tensor:
    if query.is_cuda and query.shape[1] != key.shape[1]:  # CUDA's float32 kernels have no grouped heads
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
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    scaling: float | None,
    dropout: float,
    sliding_window: int | None,
) -> Tensor:
    if dropout:
        raise ModelError(f"trainer.packing=true: the model has attention_dropout={dropout}; {_REMEDY}")
    q, k, v = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
    window = (-1 if sliding_window is None else sliding_window - 1, 0)
    grouped = {"enable_gqa": q.shape[1] != k.shape[1]} if _ENABLE_GQA else {}
    offsets, longest = cu_seq_lens_q, max_length_q
    result = varlen_attn(q, k, v, offsets, offsets, longest, longest, scale=scaling, window_size=window, **grouped)
    assert isinstance(result, Tensor)  # auxiliary outputs are returned only on request
    return result[None]


def _window(length: int, size: int | None, device: torch.device) -> Tensor | None:
    """Returns the attention mask of a row that is longer than the model's sliding window, shape [length, length].

    Returns None for shorter rows, which need only a causal mask. `size`: tokens of the window; None: no window.
    """
    if size is None or length <= size:
        return None
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (distance >= 0) & (distance < size)


@torch.no_grad()
def _check(model: "PreTrainedModel") -> None:
    """Raises ModelError if the logits of the second of two packed rows depend on the tokens of the first."""
    ids = torch.arange(8).repeat(2, 2)
    ids[1, :8] = ids[1, :8].flip(0)
    device = next(model.parameters()).device
    logits = [
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
    if not torch.allclose(logits[0], logits[1], rtol=1e-3, atol=1e-3 * float(logits[0].abs().max())):
        raise ModelError(
            f"trainer.packing=true: layers of {type(model).__name__} mix tokens of different packed rows; {_REMEDY}"
        )
