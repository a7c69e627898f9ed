"""The loss: negative log likelihood of the supervised tokens, with only one copy of the logits in memory."""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from raft_exp.training.data import IGNORED, Batch

_CHUNK = 256  # positions whose logits are converted to float32 at a time


def token_losses(model: nn.Module, batch: Batch) -> Tensor:
    """Returns the negative log likelihood of each supervised token, float32 [tokens].

    Logits are computed only at the positions `batch["keep"]`, which predict a supervised token. A batch without rows
    has the result [0], with a gradient of zero for every parameter.
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
    """Returns the negative log likelihood of `targets` [tokens] under `logits` [tokens, vocabulary], float32 [tokens].

    The backward pass overwrites the logits with their gradient.
    """
    result: Tensor = _InPlace.apply(logits, targets)
    return result


class _InPlace(torch.autograd.Function):
    """Cross entropy without copies of the logits; torch's function makes two to four copies.

    The logits must not be used after the backward pass. autograd raises an error where a layer has saved them.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the losses; saves the logits and their logsumexp for the backward pass."""
        norms = torch.cat([chunk.float().logsumexp(-1) for chunk in logits.split(_CHUNK)])
        ctx.save_for_backward(logits, targets, norms)
        return norms - logits.gather(1, targets[:, None]).squeeze(1).float()

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        """Returns the logits, overwritten with their gradient: (softmax - one_hot(target)) * incoming gradient."""
        logits, targets, norms = ctx.saved_tensors
        (scale,) = gradients
        for chunk, norm, target, factor in zip(
            logits.split(_CHUNK), norms.split(_CHUNK), targets.split(_CHUNK), scale.split(_CHUNK), strict=True
        ):
            probabilities = chunk.float().sub_(norm[:, None]).exp_()
            probabilities.scatter_add_(1, target[:, None], probabilities.new_full((len(target), 1), -1.0))
            chunk.copy_(probabilities.mul_(factor[:, None]))
        return logits, None
