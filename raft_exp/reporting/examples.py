"""The examples that a report holds: which test questions, and what of each, so that the file stays small.

At most `LIMIT` questions. Where there are more, they are taken in turn from the patterns of who is right (all arms,
raft alone, ...), so that rare disagreements are there; within a pattern by a hash of the id. Long texts are shortened.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from raft_exp.core.records import ContextPassage, Example, read_jsonl, read_rows
from raft_exp.prompts import BEGIN_QUOTE, END_QUOTE
from raft_exp.reporting.verdict import title

LIMIT = 200
_CONTEXT = 8_000  # characters of all passages of a question
_PASSAGE = 1_500  # of one of them
_REPLY = 2_000
_RIGHT = 0.5  # a metric that is no share: right from here on
_MARKED = re.compile(f"({re.escape(BEGIN_QUOTE)}.*?{re.escape(END_QUOTE)})", re.DOTALL)
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

Pattern = tuple[bool, ...]  # one an arm: was it right?


def examples(
    test: Path, predictions: Path, arms: Sequence[str], metrics: Sequence[str], reference: str, limit: int = LIMIT
) -> Any:
    """What the page embeds. Reads the files in a stream; only the chosen questions are ever held.

    `test` holds the rows that were asked, `predictions` a file for each arm.
    """
    files = {arm: predictions / f"{arm}.jsonl" for arm in arms}
    metric, right = _judged(files, metrics)
    if not right:
        return {}
    chosen = choose(right, limit)
    items: dict[str, dict[str, Any]] = {name: {} for name in chosen}
    replies = {arm: {row["id"]: row for row in read_rows(file) if row["id"] in items} for arm, file in files.items()}
    for row in read_jsonl(test, Example):
        if row.id in items:
            items[row.id] = _item(row, [replies[arm].get(row.id, {}) for arm in arms], right[row.id])
    patterns = Counter(right.values())
    return {
        "arms": list(arms),
        "metric": title(metric),
        "total": len(right),
        "reference": reference,
        "agreement": _agreement(patterns, list(arms), reference),
        "items": [item for item in items.values() if item],
    }


def _judged(files: Mapping[str, Path], metrics: Sequence[str]) -> tuple[str, dict[str, Pattern]]:
    """The first metric that a single row has, and who is right by it, question by question in test order."""
    first = next(chain.from_iterable(read_rows(file) for file in files.values()), None)
    metric = next((name for name in metrics if first and name in first["metrics"]), None)
    if metric is None:
        return "", {}
    seen: dict[str, list[bool]] = {}
    for place, file in enumerate(files.values()):
        for row in read_rows(file):
            seen.setdefault(row["id"], [False] * len(files))[place] = row["metrics"].get(metric, 0.0) >= _RIGHT
    return metric, {name: tuple(found) for name, found in seen.items()}


def choose(right: Mapping[str, Pattern], limit: int) -> list[str]:
    """At most `limit` questions, in test order: in turn from each pattern of who is right."""
    groups: dict[Pattern, list[str]] = {}
    for name in sorted(right, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()):
        groups.setdefault(right[name], []).append(name)
    turns = zip_longest(*(groups[pattern] for pattern in sorted(groups)))
    taken = set([name for turn in turns for name in turn if name is not None][:limit])
    return [name for name in right if name in taken]


def _agreement(patterns: Counter[Pattern], arms: list[str], reference: str) -> list[dict[str, Any]]:
    """Of all test questions: how often the reference arm and another are right, alone and together."""
    mine, rows = arms.index(reference), []
    for theirs, other in enumerate(arms):
        if other != reference:
            counts = Counter[tuple[bool, bool]]()
            for pattern, number in patterns.items():
                counts[pattern[mine], pattern[theirs]] += number
            cells = {"both": counts[True, True], "mine": counts[True, False], "theirs": counts[False, True]}
            rows.append({"arm": other, **cells, "neither": counts[False, False]})
    return rows


def _item(row: Example, replies: Sequence[Mapping[str, Any]], right: Pattern) -> dict[str, Any]:
    shown = next((reply["context"] for reply in replies if reply.get("context")), None)
    quotes = [quote["text"] for reply in replies for quote in reply.get("quotes", ()) if quote["verbatim"]]
    limit = min(_PASSAGE, _CONTEXT // max(1, len(row.context)))
    return {
        "id": row.id,
        "question": _cut(row.question, _REPLY),
        "answers": [_cut(answer, _PASSAGE) for answer in row.answers[:20]],
        "slices": row.slices,
        "context": [_passage(passage, quotes, limit) for passage in row.context] if shown else [],
        "replies": [_reply(reply, ok) for reply, ok in zip(replies, right, strict=True)],
    }


def _passage(passage: ContextPassage, quotes: Sequence[str], limit: int) -> dict[str, Any]:
    spans = _spans(passage.text, quotes)
    # the piece that is kept holds the first quote
    start = max(0, min(spans[0][0] - limit // 4 if spans else 0, len(passage.text) - limit))
    end = min(len(passage.text), start + limit)
    parts, place = [], start
    for left, right in spans:
        left, right = max(left, place), min(right, end)
        if left < right:
            parts += [[passage.text[place:left], ""], [passage.text[left:right], "quoted"]]
            place = right
    parts.append([passage.text[place:end], ""])
    head, tail = _ELLIPSIS if start else "", _ELLIPSIS if end < len(passage.text) else ""
    return {
        "title": _cut(passage.title, 200),
        "place": _cut(passage.place, 100),
        "gold": passage.gold,
        "parts": [part for part in ([head, ""], *parts, [tail, ""]) if part[0]],
        "cut": end - start < len(passage.text),
    }


def _spans(text: str, quotes: Sequence[str]) -> list[tuple[int, int]]:
    """Where the quotes stand in a passage, white space aside; overlapping ones joined."""
    found: list[tuple[int, int]] = []
    for quote in dict.fromkeys(quotes):
        pattern = r"\s+".join(map(re.escape, quote.split()))
        found += [match.span() for match in re.finditer(pattern, text)] if pattern else []
    joined: list[tuple[int, int]] = []
    for left, right in sorted(found):
        if joined and left <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, right))
    return joined


def _reply(reply: Mapping[str, Any], right: bool) -> dict[str, Any]:
    raw = str(reply.get("raw", ""))
    kept = _cut(raw, _REPLY)
    notes = [
        *(["not in the form asked for"] if raw.strip() and not reply.get("parsed") else []),
        *(["no reply"] if not raw.strip() else []),
        *(["cut off"] if reply.get("truncated") else []),
        *(["abstained"] if reply.get("abstained") else []),
        *(["answer stands in a quote"] if reply.get("supported") else []),
        *(["answer in no quote"] if reply.get("supported") is False else []),
    ]
    return {
        "right": right,
        "prediction": _cut(str(reply.get("prediction", "")), 300),
        "lenient": _cut(str(reply.get("lenient") or ""), 100),
        "values": {title(name): round(value, 3) for name, value in reply.get("metrics", {}).items()},
        "notes": notes,
        "raw": list(_marked(kept, reply.get("quotes", ()))),
        "cut": kept != raw,
        "shown": bool(reply.get("context")),
    }


def _marked(raw: str, quotes: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The reply in pieces, each with what it is: "", or a quote from gold, from a distractor, or of no passage."""
    kinds = {_one_spaced(quote["text"]): _kind(quote) for quote in quotes}
    for piece in _MARKED.split(raw):
        if piece.startswith(BEGIN_QUOTE) and piece.endswith(END_QUOTE):
            inner = piece[len(BEGIN_QUOTE) : -len(END_QUOTE)]
            yield [BEGIN_QUOTE, "marker"]
            yield [inner, kinds.get(_one_spaced(inner)) or kinds.get(_one_spaced(_unescaped(inner)), "")]
            yield [END_QUOTE, "marker"]
        elif piece:
            yield [piece, ""]


def _unescaped(text: str) -> str:
    """A piece of a JSON reply as the text that it stands for."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _kind(quote: Mapping[str, Any]) -> str:
    return ("gold" if quote["gold"] else "distractor") if quote["verbatim"] else "invented"


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + _ELLIPSIS
