"""The files of a judge's values: judgements.jsonl of an arm, and pairs.jsonl of two arms."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from raft_exp.core.records import read_rows

JUDGEMENTS, PAIRS = "judgements.jsonl", "pairs.jsonl"

Winner = Literal["a", "b", "tie"]


class JudgedClaim(TypedDict):
    """A claim of a reply, and the passages that support it by the judge."""

    claim: str
    supported: bool
    passages: list[int]  # numbers of the supporting passages in the arm's context, from 1; [] for no support


class Judgement(TypedDict):
    """A row of judgements.jsonl: the judge's judgement of one reply in one task.

    The rows are in the order of the test questions. A task that does not apply to a reply has no row.
    """

    id: str  # of the question
    task: str
    value: float | None  # 1 right, 0 wrong; of a task with claims the share of supported ones; None: missing
    words: str  # the judge's reason; "" for a missing value
    claims: NotRequired[list[JudgedClaim]]  # of a task with claims; absent for a missing value
    missing: NotRequired[str]  # why the value is missing: the gate's reason, e.g. not_json; absent for a value


class PairJudgement(TypedDict):
    """A row of pairs.jsonl: which of two arms has the better reply. The judge reads the replies in both orders.

    The value is 1 if arm a is better in both orders, 0 if b is, and else 0.5: a tie, or the two orders disagree.
    """

    id: str  # of the question
    value: float | None  # None: missing, because one of the two replies of the judge cannot be used
    words: list[str]  # the judge's reasons: with the reply of a first, with the reply of b first
    winners: list[Winner]  # in the same two orders; [] for a missing value, and where no judge is needed
    missing: NotRequired[str]  # why the value is missing; absent for a value


def read_judgements(folder: Path) -> Iterator[Judgement]:
    """Yields the judgements of an arm. `folder`: result of a stage `judge`. Raises DataError for a damaged file."""
    rows: Iterator[Any] = read_rows(folder / JUDGEMENTS)
    yield from rows


def read_pairs(folder: Path) -> Iterator[PairJudgement]:
    """Yields the judgements of two arms. `folder`: result of a stage `judge_pairs`. Raises DataError if damaged."""
    rows: Iterator[Any] = read_rows(folder / PAIRS)
    yield from rows
