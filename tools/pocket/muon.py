"""Muon: momentum, turned into the nearest orthogonal matrix before each step.

Jordan et al., 2024, https://kellerjordan.github.io/posts/muon; about twice AdamW's progress per token here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon:
    """Updates matrices in place; the other parameters are another optimizer's."""

    def __init__(self, matrices: Sequence[tuple[nn.Parameter, int]], learning_rate: float, momentum: float = 0.95):
        self._matrices = matrices
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._velocity = [torch.zeros_like(matrix) for matrix, _ in matrices]

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """One step of `learning_rate * scale`; takes the gradients away."""
        for (matrix, stacked), velocity in zip(self._matrices, self._velocity, strict=True):
            if matrix.grad is None:
                continue
            velocity.lerp_(matrix.grad, 1 - self._momentum)
            gradient = matrix.grad.lerp(velocity, self._momentum)
            turned = [orthogonal(part) * max(1, len(part) / part.shape[1]) ** 0.5 for part in gradient.chunk(stacked)]
            matrix.sub_(torch.cat(turned), alpha=self._learning_rate * scale)
            matrix.grad = None


def orthogonal(matrix: Tensor) -> Tensor:
    """Roughly the nearest matrix with all singular values one (five Newton-Schulz steps)."""
    a, b, c = _COEFFICIENTS
    tall = len(matrix) > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()
