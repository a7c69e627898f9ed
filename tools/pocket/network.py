"""The network of the pocket model: Qwen3 in plain PyTorch, fast for short sequences on a CPU."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The dimensions of the network. `head_dim` is at least 32, as vLLM's CPU build requires."""

    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    head_dim: int = 32
    inner: int = 512
    theta: float = 10_000.0


class Norm(nn.Module):
    """RMSNorm over the last dimension."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises the last dimension of x: [..., size] -> [..., size]."""
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


class Layer(nn.Module):
    """A transformer layer: attention with RMS-normalised queries and keys, then a gated MLP."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        inside = shape.heads * shape.head_dim
        self.qkv = nn.Linear(shape.width, 3 * inside, bias=False)
        self.out = nn.Linear(inside, shape.width, bias=False)
        self.gate_up = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)
        self.before_attention, self.before_mlp = Norm(shape.width), Norm(shape.width)
        self.query_norm, self.key_norm = Norm(shape.head_dim), Norm(shape.head_dim)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """Takes and returns hidden states [batch, length, width].

        cos, sin: [length, head_dim] of the rotary embedding. mask: [length, length], True where attention is forbidden.
        """
        batch, length, _ = x.shape
        heads = self.qkv(self.before_attention(x)).view(batch, length, 3, self.shape.heads, self.shape.head_dim)
        query, key, value = heads.unbind(2)
        query = _rotate(self.query_norm(query).transpose(1, 2).to(value.dtype), cos, sin)
        key = _rotate(self.key_norm(key).transpose(1, 2).to(value.dtype), cos, sin)
        # For short sequences this takes two thirds of the time of PyTorch's fused CPU kernel.
        scores = (query @ key.transpose(-1, -2)) * self.shape.head_dim**-0.5
        mixed = torch.softmax(scores.masked_fill(mask, float("-inf")), -1) @ value.transpose(1, 2)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        gate, up = self.gate_up(self.before_mlp(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """A decoder-only transformer with untied input and output embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """Initialises output projections with zeros and all other weights with a large variance.

        Small weights would learn slowly, as queries and keys are normalised.
        """
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[1]))
        nn.init.normal_(self.embedding.weight)
        for output in (self.head, *(part for layer in self.layers for part in (layer.out, layer.down))):
            nn.init.zeros_(output.weight)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Returns logits [positions, vocabulary].

        ids: token ids [batch, length]. positions: indices into the flattened [batch * length] tokens.
        """
        length = ids.shape[1]
        x = self.embedding(ids)
        cos, sin = _angles(length, self.shape)
        if torch.is_autocast_enabled("cpu"):
            cos, sin = cos.bfloat16(), sin.bfloat16()
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        logits: Tensor = self.head(self.norm(x).flatten(0, 1)[positions])
        return logits

    def matrices(self) -> list[tuple[nn.Parameter, int]]:
        """Returns the weights that Muon updates, as (weight, number of matrices stacked along its rows)."""
        matrices = []
        for layer in self.layers:
            for module, stacked in ((layer.qkv, 3), (layer.out, 1), (layer.gate_up, 2), (layer.down, 1)):
                matrices.append((module.weight, stacked))
        return matrices


def _angles(length: int, shape: Shape) -> tuple[Tensor, Tensor]:
    frequency = shape.theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
    angle = torch.outer(torch.arange(length).float(), frequency).repeat(1, 2)
    return angle.cos(), angle.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin
