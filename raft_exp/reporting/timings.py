"""The structure of `timings.json`: seconds of the answers, which differ between machines and runs."""

from typing import TypedDict


class AnswerTimings(TypedDict):
    """The timing of one arm, of the answers that the last run of its evaluation wrote."""

    seconds_per_answer: float
    answers: int


class Timings(TypedDict, total=False):
    """The file; empty for a run folder without one."""

    arms: dict[str, AnswerTimings]  # by `<arm>` or `<arm>@<condition>`
