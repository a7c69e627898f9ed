"""The loss: negative log likelihood of the supervised tokens, with one tensor of the vocabulary's size in memory."""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from raft_exp.training.data import IGNORED, Batch

_CHUNK = 256  # positions whose logits are converted to float32 at a time


def token_losses(model: nn.Module, batch: Batch) -> Tensor:
    """Negative log likelihood of the supervised tokens, float32 [tokens].

    The head computes logits only at `keep`, where a supervised token is predicted: never for the prompt.
    """
    logits: Tensor = model(**batch["inputs"], logits_to_keep=batch["keep"], use_cache=False).logits
    if not batch["rows"]:  # DDP and FSDP need a gradient of every parameter, also from a micro-batch without rows
        return logits.float().sum().reshape(1) * 0.0
    targets = batch["targets"]
    if targets.dim() == 1:  # packed: every kept position is supervised
        return negative_log_likelihood(logits[0], targets)
    supervised = targets != IGNORED
    return negative_log_likelihood(logits[supervised], targets[supervised])


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """float32 [tokens] of logits [tokens, vocabulary]; the backward overwrites the logits with their gradient."""
    result: Tensor = _InPlace.apply(logits, targets)
    return result


class _InPlace(torch.autograd.Function):
    """Cross entropy without copies of the logits; torch's own makes two to four of them.

    The logits must not be used afterwards. autograd raises an error where a layer saved them for its own backward.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, targets: Tensor) -> Tensor:
        """Losses; saves the logits and the logarithms of the sums of their exponentials."""
        norms = torch.cat([chunk.float().logsumexp(-1) for chunk in logits.split(_CHUNK)])
        ctx.save_for_backward(logits, targets, norms)
        return norms - logits.gather(1, targets[:, None]).squeeze(1).float()

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
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
