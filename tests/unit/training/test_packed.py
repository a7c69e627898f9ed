"""Attention over packed rows with torch's variable-length kernel."""

import pytest
import torch

from raft_exp.training import packed


def kernel_of_torch_2_11(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1)):
    return torch.zeros_like(query)


def kernel_of_torch_2_13(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False
):
    if query.shape[1] != key.shape[1] and not enable_gqa:
        raise ValueError("grouped heads need enable_gqa")
    return torch.zeros_like(query)


@pytest.mark.parametrize("kernel", [kernel_of_torch_2_11, kernel_of_torch_2_13])
@pytest.mark.parametrize("key_heads", [4, 2])
def test_the_kernel_gets_the_arguments_that_its_release_has(monkeypatch, kernel, key_heads):
    monkeypatch.setattr(packed, "varlen_attn", kernel)
    monkeypatch.setattr(packed, "_ENABLE_GQA", packed.takes_enable_gqa(kernel))
    query, key = torch.zeros(1, 4, 7, 16), torch.zeros(1, key_heads, 7, 16)
    offsets = torch.tensor([0, 3, 7], dtype=torch.int32)
    result = packed._by_kernel(query, key, key, offsets, 4, scaling=None, dropout=0.0, sliding_window=None)
    assert result.shape == (1, 7, 4, 16)
