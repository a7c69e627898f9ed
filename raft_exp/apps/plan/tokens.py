"""The tokens of planned rows: counted in a data set of the store, else the limit `model.max_length`."""

from dataclasses import dataclass

from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.core.stage import Stage
from raft_exp.training.config import TrainerConfig

_SUPERVISED = 100  # assumed tokens of a target


@dataclass(frozen=True)
class RowTokens:
    """Tokens per row of a data set. `mean`, `longest`: prompt and completion; `supervised`: mean of the completion."""

    mean: float
    longest: float
    supervised: float
    at_most: bool  # the values are upper bounds
    source: str


def training_tokens(study: PlannedStudy, dataset: Stage) -> RowTokens:
    """Returns the tokens per row of a training set."""
    audit = study.expected.sizes.audit(dataset, "train")
    if audit is None:
        limit, room = study.config.model.max_length, study.config.model.max_new_tokens
        return RowTokens(limit, limit, min(_SUPERVISED, room), True, f"rows of model.max_length={limit:,} tokens")
    prompts, targets = audit["prompt_tokens"], audit["completion_tokens"]
    mean = (prompts["sum"] + targets["sum"]) / audit["rows"]
    return RowTokens(
        mean,
        prompts["max"] + targets["max"],
        targets["sum"] / audit["rows"],
        False,
        f"rows of {mean:,.0f} tokens in {dataset.label}",
    )


def prompt_tokens(study: PlannedStudy, test: Stage, with_passages: bool) -> tuple[float, bool, str]:
    """Returns the mean tokens of a test prompt, whether this is an upper bound, and the source as text."""
    config = study.config.model
    room = config.max_length - config.max_new_tokens
    audit = study.expected.sizes.audit(test, str(test.config.split)) if with_passages else None
    if audit:
        mean = audit["prompt_tokens"]["sum"] / audit["rows"]
        return mean, False, f"prompts of {mean:,.0f} tokens in {test.label}"
    if not with_passages:
        return min(_SUPERVISED, room), False, f"prompts of {_SUPERVISED} tokens without passages"
    return room, True, f"prompts of {room:,} tokens, the upper limit"


def processes_of(trainer: TrainerConfig) -> int:
    """Returns the number of training processes, one per device. devices=auto counts as one device per node."""
    return (trainer.devices if isinstance(trainer.devices, int) else 1) * trainer.num_nodes
