"""The examples of a report: test questions with passages and replies, shortened to keep the page small.

A report has at most `LIMIT` examples. Questions that the same arms answer right form a group (all arms, raft alone,
...). With a judge, the groups also differ in the arms on which judge and metric disagree. Examples are taken from the
groups in turn, so that rare disagreements are included. Within a group, a hash of the ids decides the order. In the
report, questions on which the arms disagree come first.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypedDict

from raft_exp.core.records import ContextPassage, Example, read_jsonl
from raft_exp.evaluation.results import Prediction, Quote, read_predictions
from raft_exp.prompts import BEGIN_QUOTE, END_QUOTE, quotes
from raft_exp.reporting import example_support as support
from raft_exp.reporting.formats import slice_name, title

LIMIT = 200
_CONTEXT = 8_000  # characters of all passages of a question
_PASSAGE = 1_500  # characters of one passage
_REPLY = 2_000
_RIGHT = 0.5  # from this value on a reply counts as right
_MARKED = re.compile(f"({re.escape(BEGIN_QUOTE)}.*?{re.escape(END_QUOTE)})", re.DOTALL)
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

Pattern = tuple[bool, ...]  # for each arm: its reply is right
Part = tuple[str, str]  # a piece of text and its kind, which is a CSS class or ""


class ExamplePassage(TypedDict):
    """A passage, shortened to the text around the first quote from the passage, or to its beginning without a quote."""

    title: str
    place: str
    gold: bool
    parts: list[Part]  # kind: "quoted" or ""
    cut: bool


class ExampleReply(TypedDict):
    """The reply of one arm to a test question, with long texts shortened."""

    right: bool
    prediction: str
    lenient: str  # the answer that lenient metrics read, where it is neither the prediction nor the whole reply
    values: dict[str, float]  # metric, as readers see it -> value
    notes: list[str]
    raw: list[Part]  # kind: marker, gold, distractor, invented or ""
    cut: bool  # `raw` was shortened
    shown: bool  # the arm's prompt had the passages
    judged: support.Verdict  # the judge calls the reply right; None: no judgement
    judge: list[support.JudgeWords]  # [] without a judge
    claims: support.ExampleClaims  # none without evaluation.nli


class ExampleItem(TypedDict):
    """A test question with the replies of all arms."""

    id: str
    question: str
    answers: list[str]
    slices: dict[str, str]
    context: list[ExamplePassage]
    replies: list[ExampleReply]


class Agreement(TypedDict):
    """How many test questions are answered right by both arms, by the reference arm only, by `arm` only, by neither.

    These numbers are `both`, `mine`, `theirs` and `neither`.
    """

    arm: str
    both: int
    mine: int
    theirs: int
    neither: int


class Examples(TypedDict):
    """The data of the examples browser."""

    arms: list[str]
    metric: str  # which decides that a reply is right
    total: int
    reference: str
    agreement: list[Agreement]
    judge: list[support.JudgeAgreement]  # [] without a judge
    items: list[ExampleItem]


def examples(
    test: Path, predictions: Path, arms: Sequence[str], metrics: Sequence[str], reference: str, limit: int = LIMIT
) -> Examples | None:
    """Returns the examples; None if no metric has values for single questions.

    `test`: the file of the test rows. `predictions`: the folder with one file for each arm. The files are read as
    streams, and only the chosen questions are held in memory.
    """
    files = {arm: predictions / f"{arm}.jsonl" for arm in arms}
    metric, right, verdicts = _graded(files, metrics)
    if not right:
        return None
    disputes = {name: support.disputed(right[name], judged) for name, judged in verdicts.items()}
    chosen = dict.fromkeys(choose(right, limit, disputes))
    replies = {
        arm: {row["id"]: row for row in read_predictions(file) if row["id"] in chosen} for arm, file in files.items()
    }
    items = {
        row.id: _item(row, [replies[arm].get(row.id) for arm in arms], right[row.id])
        for row in read_jsonl(test, Example)
        if row.id in chosen
    }
    patterns = Counter(right.values())
    return {
        "arms": list(arms),
        "metric": title(metric),
        "total": len(right),
        "reference": reference,
        "agreement": _agreement(patterns, list(arms), reference),
        "judge": support.agreement(arms, right, verdicts),
        "items": [items[name] for name in chosen if name in items],
    }


def _graded(
    files: Mapping[str, Path], metrics: Sequence[str]
) -> tuple[str, dict[str, Pattern], dict[str, list[support.Verdict]]]:
    """Returns the first metric with values for single questions, {question id: pattern} in test order, and verdicts.

    A pattern says for each arm whether its reply is right by this metric. The verdicts say the same by the judge.
    """
    first = next(chain.from_iterable(read_predictions(file) for file in files.values()), None)
    metric = next((name for name in metrics if first and name in first["metrics"]), None)
    if metric is None:
        return "", {}, {}
    right: dict[str, list[bool]] = {}
    verdicts: dict[str, list[support.Verdict]] = {}
    for place, file in enumerate(files.values()):
        for row in read_predictions(file):
            right.setdefault(row["id"], [False] * len(files))[place] = row["metrics"].get(metric, 0.0) >= _RIGHT
            verdicts.setdefault(row["id"], [None] * len(files))[place] = support.verdict(row)
    return metric, {name: tuple(pattern) for name, pattern in right.items()}, verdicts


def choose(right: Mapping[str, Pattern], limit: int, disputes: Mapping[str, Pattern] | None = None) -> list[str]:
    """Returns the ids of at most `limit` questions, taken in turn from each pattern of right and wrong arms.

    Questions on which the arms disagree come first. Otherwise the ids are in test order.

    `right`: question id -> pattern. `disputes`: question id -> for each arm, whether judge and metric disagree.
    """
    groups: dict[Pattern, list[str]] = {}
    for name in sorted(right, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()):
        groups.setdefault((*right[name], *(disputes or {}).get(name, ())), []).append(name)
    turns = zip_longest(*(groups[pattern] for pattern in sorted(groups)))
    taken = set([name for turn in turns for name in turn if name is not None][:limit])
    return sorted((name for name in right if name in taken), key=lambda name: len(set(right[name])) == 1)


def _agreement(patterns: Counter[Pattern], arms: list[str], reference: str) -> list[Agreement]:
    mine = arms.index(reference)
    rows: list[Agreement] = []
    for theirs, other in enumerate(arms):
        if other != reference:
            counts = Counter[tuple[bool, bool]]()
            for pattern, number in patterns.items():
                counts[pattern[mine], pattern[theirs]] += number
            rows.append(
                {
                    "arm": other,
                    "both": counts[True, True],
                    "mine": counts[True, False],
                    "theirs": counts[False, True],
                    "neither": counts[False, False],
                }
            )
    return rows


def _item(row: Example, replies: Sequence[Prediction | None], right: Pattern) -> ExampleItem:
    shown = any(reply["context"] for reply in replies if reply)
    verbatim = [quote["text"] for reply in replies if reply for quote in reply["quotes"] if quote["verbatim"]]
    limit = min(_PASSAGE, _CONTEXT // max(1, len(row.context)))
    numbers = {passage.id: number for number, passage in enumerate(row.context, start=1)}
    return {
        "id": row.id,
        "question": _cut(row.question, _REPLY),
        "answers": [_cut(answer, _PASSAGE) for answer in row.answers[:20]],
        "slices": {slice_name(name): value for name, value in row.slices.items()},
        "context": [_passage(passage, verbatim, limit) for passage in row.context] if shown else [],
        "replies": [_reply(reply, ok, numbers) for reply, ok in zip(replies, right, strict=True)],
    }


def _passage(passage: ContextPassage, verbatim: Sequence[str], limit: int) -> ExamplePassage:
    spans = _spans(passage.text, passage.title, verbatim)
    # the shown part contains the first quote
    start = max(0, min(spans[0][0] - limit // 4 if spans else 0, len(passage.text) - limit))
    end = min(len(passage.text), start + limit)
    head, tail = _ELLIPSIS if start else "", _ELLIPSIS if end < len(passage.text) else ""
    parts: list[Part] = [(head, "")]
    place = start
    for left, right in spans:
        left, right = max(left, place), min(right, end)
        if left < right:
            parts += [(passage.text[place:left], ""), (passage.text[left:right], "quoted")]
            place = right
    parts += [(passage.text[place:end], ""), (tail, "")]
    return {
        "title": _cut(passage.title, 200),
        "place": _cut(passage.place, 100),
        "gold": passage.gold,
        "parts": [part for part in parts if part[0]],
        "cut": end - start < len(passage.text),
    }


def _spans(text: str, title: str, verbatim: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the (start, end) characters of verbatim quotes in a passage. Overlapping spans are merged."""
    spans = [
        span
        for quote in dict.fromkeys(verbatim)
        for place in quotes.occurrences(quote, text, title, min_words=1)  # these quotes have enough words already
        for span in place
    ]
    joined: list[tuple[int, int]] = []
    for left, right in sorted(spans):
        if joined and left <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, right))
    return joined


_NO_REPLY: Prediction = {  # of a question that an arm's file does not have
    "id": "",
    "question": "",
    "answers": [],
    "context": [],
    "raw": "",
    "prediction": "",
    "parsed": False,
    "truncated": False,
    "quotes": [],
    "metrics": {},
}


def _reply(prediction: Prediction | None, right: bool, numbers: Mapping[str, int]) -> ExampleReply:
    reply = prediction or _NO_REPLY
    raw = reply["raw"]
    shortened, lenient = _cut(raw, _REPLY), _one_spaced(reply.get("lenient", ""))
    notes = [
        *(["not in the requested form"] if reply["prediction"] and not reply["parsed"] else []),
        *(["cut off"] if reply["truncated"] else []),
        *(["abstained"] if reply.get("abstained") else []),
        *(["a quote holds the answer"] if reply.get("supported") else []),
        *(["no quote holds the answer"] if reply.get("supported") is False else []),
    ]
    return {
        "right": right,
        "prediction": _cut(reply["prediction"], 300),
        "lenient": _cut(lenient, 100) if lenient not in (reply["prediction"], _one_spaced(raw)) else "",
        "values": {title(name): round(value, 3) for name, value in reply["metrics"].items()},
        "notes": notes,
        "raw": list(_marked(shortened, reply["quotes"])),
        "cut": shortened != raw,
        "shown": bool(reply["context"]),
        "judged": support.verdict(reply),
        "judge": support.words_of(reply),
        "claims": support.claims_of(reply, numbers),
    }


def _marked(raw: str, checked: Sequence[Quote]) -> Iterator[Part]:
    """Splits a reply into (text, kind): plain text, quote markers, and quotes from gold, a distractor or no passage."""
    kinds = {_one_spaced(quote["text"]): _kind(quote) for quote in checked}
    for piece in _MARKED.split(raw):
        if piece.startswith(BEGIN_QUOTE) and piece.endswith(END_QUOTE):
            inner = piece[len(BEGIN_QUOTE) : -len(END_QUOTE)]
            yield BEGIN_QUOTE, "marker"
            yield inner, kinds.get(_one_spaced(inner)) or kinds.get(_one_spaced(_unescaped(inner)), "")
            yield END_QUOTE, "marker"
        elif piece:
            yield piece, ""


def _unescaped(text: str) -> str:
    """Decodes the escapes of a piece of a JSON string; returns the piece unchanged if it is not valid JSON."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _kind(quote: Quote) -> str:
    return ("gold" if quote["gold"] else "distractor") if quote["verbatim"] else "invented"


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + _ELLIPSIS
