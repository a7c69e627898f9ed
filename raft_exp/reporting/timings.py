"""The structure of `timings.json`: seconds per answer, which differ between machines and runs."""

from typing import TypedDict


class AnswerTimings(TypedDict):
    """The timing of one arm. It covers only the answers that the last run of the evaluation generated."""

    seconds_per_answer: float
    answers: int


class Timings(TypedDict, total=False):
    """The content of timings.json; empty for a run folder without this file."""

    arms: dict[str, AnswerTimings]  # by `<arm>` or `<arm>@<condition>`
