"""The rows of `plan.json`: the stages of a run in order, each with its status."""

from typing import Literal, NotRequired, TypedDict

Status = Literal["ran", "reused", "planned", "failed"]


class PlanRow(TypedDict):
    """One stage of a run."""

    stage: str  # its label: `train[raft]`
    key: str
    path: str  # the folder of the result in the store
    status: Status
    seconds: float  # duration of the stage when it ran, also where its result is reused; 0 for planned or failed stages
    expected: NotRequired[float | None]  # in a dry run, for planned stages: expected seconds, null where unknown
