"""The optimizer Muon: each update of a weight matrix is the semi-orthogonal matrix nearest to its momentum.

Source: Jordan et al., 2024, https://kellerjordan.github.io/posts/muon. For the pocket model it needs about half as many
training tokens as AdamW.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon:
    """Updates weight matrices in place.

    `matrices`: (weight, number of matrices stacked along its rows), e.g. 3 for query, key and value. The stacked
    matrices are orthogonalised one by one.
    """

    def __init__(self, matrices: Sequence[tuple[nn.Parameter, int]], learning_rate: float, momentum: float = 0.95):
        self._matrices = matrices
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._velocity = [torch.zeros_like(matrix) for matrix, _ in matrices]

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Updates the matrices with the learning rate `learning_rate * scale` and clears their gradients."""
        for (matrix, stacked), velocity in zip(self._matrices, self._velocity, strict=True):
            if matrix.grad is None:
                continue
            velocity.lerp_(matrix.grad, 1 - self._momentum)
            gradient = matrix.grad.lerp(velocity, self._momentum)
            updates = [orthogonal(part) * max(1, len(part) / part.shape[1]) ** 0.5 for part in gradient.chunk(stacked)]
            matrix.sub_(torch.cat(updates), alpha=self._learning_rate * scale)
            matrix.grad = None


def orthogonal(matrix: Tensor) -> Tensor:
    """Approximates the nearest matrix whose singular values are all 1, with five Newton-Schulz iterations."""
    a, b, c = _COEFFICIENTS
    tall = len(matrix) > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()
