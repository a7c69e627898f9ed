"""The loss: negative log likelihood of the supervised tokens, and nothing of the vocabulary's size anywhere else."""

from typing import Any

import torch
from torch import Tensor

from raft_exp.training.data import IGNORED

_CHUNK = 256  # positions whose logits are looked at in float32 at a time


def token_losses(model: Any, batch: dict[str, Any]) -> Tensor:
    """Negative log likelihood of the supervised tokens, float32 [tokens].

    The head computes logits only at `keep`, where a supervised token is predicted: never for the prompt.
    """
    logits: Tensor = model(**batch["inputs"], logits_to_keep=batch["keep"], use_cache=False).logits
    if not batch["rows"]:  # a micro-batch without rows still has to reach every parameter
        return logits.float().sum().reshape(1) * 0.0
    targets = batch["targets"]
    if targets.dim() == 1:  # packed: every kept position is supervised
        return negative_log_likelihood(logits[0], targets)
    supervised = targets != IGNORED
    return negative_log_likelihood(logits[supervised], targets[supervised])


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """float32 [tokens] of logits [tokens, vocabulary]; the gradient takes the place of the logits in memory."""
    result: Tensor = _InPlace.apply(logits, targets)
    return result


class _InPlace(torch.autograd.Function):
    """Cross entropy without copies of the logits: log-softmax and its gradient would be two to four more of them.

    The logits must not be used afterwards. autograd raises an error where a layer has kept them for its own backward.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        """Losses; keeps the logits and the logarithm of their sum."""
        norms = torch.cat([chunk.float().logsumexp(-1) for chunk in logits.split(_CHUNK)])
        ctx.save_for_backward(logits, targets, norms)
        return norms - logits.gather(1, targets[:, None]).squeeze(1).float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """(softmax - one at the target) * gradient, written over the logits."""
        logits, targets, norms = ctx.saved_tensors
        (scale,) = gradients
        for chunk, norm, target, factor in zip(
            logits.split(_CHUNK), norms.split(_CHUNK), targets.split(_CHUNK), scale.split(_CHUNK), strict=True
        ):
            probabilities = chunk.float().sub_(norm[:, None]).exp_()
            probabilities.scatter_add_(1, target[:, None], probabilities.new_full((len(target), 1), -1.0))
            chunk.copy_(probabilities.mul_(factor[:, None]))
        return logits, None
