"""The labelled replies of tests/data/replies.jsonl, and how well the detectors read them."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from raft_exp.evaluation.metrics import LABELS, normalize
from raft_exp.prompts import lenient, parse, quotes
from raft_exp.prompts.refusals import abstained

LIST = Path(__file__).parents[1] / "data" / "replies.jsonl"
REFUSAL = "The passages do not hold the answer."  # of conf/prompt/default.yaml
Row = dict[str, Any]


def read() -> list[Row]:
    return [json.loads(line) for line in LIST.read_text(encoding="utf-8").splitlines()]


def measure(rows: list[Row]) -> dict[str, object]:
    replies, quoted = [row for row in rows if "raw" in row], [row for row in rows if "quote" in row]
    kinds = defaultdict[str, Counter[str]](Counter)
    for row in rows:
        kinds[row["kind"].partition(":")[0]].update(n=1, right=int(right(row)))
    return {
        "refusals": _detector(replies, declines, lambda row: row["refusal"]),
        "verbatim quotes": _detector(quoted, lambda row: verbatim(row)[0], lambda row: row["verbatim"]),
        "quotes of gold": _detector(quoted, lambda row: verbatim(row)[1], lambda row: row["gold"]),
        "lenient answers": {
            "n": len(replies),
            "accuracy": _share(map(answer_is_right, replies)),
            "answers that are right": _share(answer_is_right(row) for row in replies if answer(row)),
        },
        "right by kind": {kind: f"{counts['right']} of {counts['n']}" for kind, counts in sorted(kinds.items())},
    }


def right(row: Row) -> bool:
    """Whether all that a row labels is read as labelled."""
    if "quote" in row:
        return verbatim(row) == (row["verbatim"], row["gold"])
    return declines(row) == row["refusal"] and answer_is_right(row)


def declines(row: Row) -> bool:
    """As in `evaluation.scoring.replies`."""
    said = parse(row["raw"], "paper").prediction or lenient.said(row["raw"], row["question"]).text
    return abstained(said, REFUSAL, row["question"])


def answer(row: Row) -> str:
    return lenient.extract(row["raw"], LABELS if row["closed"] else (), row["question"])


def answer_is_right(row: Row) -> bool:
    found = answer(row)
    if not row["answers"]:
        return not found
    return normalize(found, nfd=True) in {normalize(text, nfd=True) for text in row["answers"]}


def verbatim(row: Row) -> tuple[bool, bool]:
    flags = [
        passage["gold"] for passage in row["passages"] if quotes.find(row["quote"], passage["text"], passage["title"])
    ]
    return bool(flags), any(flags)


def _detector(rows: list[Row], found: Callable[[Row], bool], true: Callable[[Row], bool]) -> dict[str, float]:
    pairs = Counter((found(row), bool(true(row))) for row in rows)
    hits = pairs[True, True]
    return {
        "n": len(rows),
        "precision": round(hits / max(1, hits + pairs[True, False]), 3),
        "recall": round(hits / max(1, hits + pairs[False, True]), 3),
    }


def _share(values: Iterable[bool]) -> float:
    flags = list(values)
    return round(sum(flags) / max(1, len(flags)), 3)
