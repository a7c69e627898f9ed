"""The place of the gold passages in a test context (`evaluation.gold_at`)."""

from typing import Literal

from raft_exp.core.errors import DataError
from raft_exp.core.schema import Count

GoldPlace = Count | Literal["first", "middle", "last"]


def index(place: int | str, others: int, question_id: str, setting: str = "evaluation.gold_at") -> int:
    """Returns the number of passages before the gold.

    `others`: the number of passages beside the gold. The place `middle` is `others` / 2, rounded down. `setting`: the
    name of the setting that holds `place`. Raises DataError if `place` is a number above `others`.
    """
    if isinstance(place, str):
        return {"first": 0, "middle": others // 2, "last": others}[place]
    if place > others:
        raise DataError(
            f"{setting}: got {place}, but question {question_id!r} has {others} passages beside its gold; set "
            f"{setting} to first, middle or last, to a number from 0 to {others}, or to null to keep the order"
        )
    return place
