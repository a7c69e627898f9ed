"""The rows of `plan.json`: the stages of a run, in order, with what became of each."""

from typing import Literal, NotRequired, TypedDict

Status = Literal["ran", "reused", "planned", "failed"]


class PlanRow(TypedDict):
    """One stage of a run."""

    stage: str  # its label: `train[raft]`
    key: str
    path: str  # the folder of the result in the store
    status: Status
    seconds: float  # what making the result took, also when it is reused; 0 for a planned or failed stage
    expected: NotRequired[float | None]  # in a dry run, for planned stages: expected seconds, null where unknown
