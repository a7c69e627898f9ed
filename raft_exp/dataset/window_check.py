"""Checks that the prompts of a test set fit into the model's window (`allow_cut=false`).

Without this check, passages that do not fit are shortened, and a test of long contexts would test shorter contexts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.dataset.rows import RenderedRow, RowBuilder, RowFormat, RowSpec

_LONGEST = 32  # prompts that are measured before a stage runs: those with the longest passages


@dataclass(frozen=True)
class TooLong:
    """A test set with a prompt that does not fit."""

    setting: str  # the setting that decides the number of passages, and its value: evaluation.num_distractors=99
    condition: str  # name of the condition; "" for the study's own test
    question_id: str
    tokens: int  # tokens of the prompt with whole passages, plus those of the longest reply


def longest(
    row_format: RowFormat,
    passages: Path,
    specs: Iterable[RowSpec],
    setting: str,
    condition: str,
    least: bool = False,
) -> list[TooLong]:
    """Measures the prompts with the longest passages. Returns [longest prompt] if it does not fit, else [].

    `setting`: the setting that decides the number of passages. `condition`: the condition of the test set, or "".
    `least`, for contexts that are not final: measures the prompts with the shortest passages instead, and returns the
    [shortest prompt] if it does not fit, else [].
    """
    collection, builder = Passages(passages), RowBuilder(row_format, passages)
    sizes = ((collection.stored_bytes(spec.context or []), at, spec) for at, spec in enumerate(specs))
    chosen = (nsmallest if least else nlargest)(_LONGEST, sizes, key=lambda row: row[:2])
    needs = [(builder.tokens_needed(spec), spec.question.id) for _, _, spec in chosen]
    if not needs:
        return []
    tokens, question_id = min(needs) if least else max(needs)
    return [TooLong(setting, condition, question_id, tokens)] if tokens > row_format.window.max_length else []


def refuse(found: Sequence[TooLong], max_length: int) -> None:
    """Raises DataError if `found` has test sets. The message names the test set that needs the most tokens."""
    if not found:
        return
    worst = max(found, key=lambda one: one.tokens)
    names = [one.condition for one in found if one.condition]
    among = f" ({len(found)} test sets do not fit)" if len(found) > 1 else ""
    without = " ".join(f"~evaluation.conditions.{name}" for name in names)
    leave_out = f"add {without} to skip what does not fit, " if names else ""
    place = f"evaluation.conditions.{worst.condition}" if worst.condition else "evaluation"
    raise DataError(
        f"{worst.setting}: the prompt of question {worst.question_id!r} and its reply need "
        f"{worst.tokens:,} tokens, but the window holds model.max_length={max_length:,}{among}; {leave_out}set "
        f"model.max_length={worst.tokens} or more for a model with so many positions, or {place}.allow_cut=true to "
        "shorten all passages alike"
    )


def watch(rows: Iterable[RenderedRow], place: tuple[str, str], max_length: int) -> Iterator[RenderedRow]:
    """Yields the rows unchanged. Raises DataError at the first row whose passages were shortened.

    `place`: `setting` and `condition` of `longest`.
    """
    for row in rows:
        if row.counts["rows_cut"]:
            refuse([TooLong(*place, row.example.id, row.tokens_needed)], max_length)
        yield row
