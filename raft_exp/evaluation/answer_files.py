"""The files answers.jsonl, counts.json and timings.json of the stage `evaluate`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from raft_exp.core.records import Answer, read_jsonl, write_jsonl

ANSWERS = "answers.jsonl"
TIMINGS = "timings.json"


class AnswerRow(TypedDict):
    """One row of answers.jsonl."""

    id: str
    raw: str
    truncated: bool
    prompt_tokens: int
    new_tokens: int
    filtered: NotRequired[Literal[True]]  # absent where false, so that engines without a filter write the same bytes
    log_probability: NotRequired[float]  # mean over the tokens of the reply; absent if unknown


def row_of(answer: Answer) -> AnswerRow:
    """Returns an answer as a row of answers.jsonl."""
    row: AnswerRow = {
        "id": answer.id,
        "raw": answer.raw,
        "truncated": answer.truncated,
        "prompt_tokens": answer.prompt_tokens,
        "new_tokens": answer.new_tokens,
    }
    if answer.filtered:
        row["filtered"] = True
    if answer.log_probability is not None:
        row["log_probability"] = answer.log_probability
    return row


def read_answers(out: Path) -> dict[str, Answer]:
    """Returns the answers in answers.jsonl by question id; {} without this file."""
    if not (out / ANSWERS).exists():
        return {}
    return {answer.id: answer for answer in read_jsonl(out / ANSWERS, Answer)}


def write_answers(out: Path, answers: Iterable[Answer]) -> None:
    """Writes answers.jsonl; a file that exists is replaced only when the new one is complete."""
    write_jsonl(out / f"{ANSWERS}.new", map(row_of, answers))
    (out / f"{ANSWERS}.new").replace(out / ANSWERS)


def write_counts(out: Path, answers: Sequence[Answer], more: Mapping[str, int]) -> None:
    """Writes counts.json: numbers of answers, truncated answers and tokens, and the further counts `more`."""
    counts = {
        "answers": len(answers),
        "truncated": sum(answer.truncated for answer in answers),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "new_tokens": sum(answer.new_tokens for answer in answers),
    }
    if filtered := sum(answer.filtered for answer in answers):
        counts["filtered"] = filtered
    (out / "counts.json").write_text(json.dumps({**counts, **more}) + "\n", encoding="utf-8")


def examples_shown(counts: Sequence[int]) -> dict[str, int]:
    """Returns the number of worked examples in all prompts together, and the most and fewest in one prompt.

    `counts`: the number of worked examples in each prompt. Raises ValueError if there are no prompts.
    """
    return {"examples": sum(counts), "most_examples": max(counts), "fewest_examples": min(counts)}


def write_timings(out: Path, seconds: float, answers: int) -> None:
    """Writes timings.json: how many answers were generated, and in how many seconds."""
    (out / TIMINGS).write_text(json.dumps({"seconds": seconds, "answers": answers}) + "\n", encoding="utf-8")
