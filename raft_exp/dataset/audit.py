"""The audit of a dataset: figures that show whether it is what its settings say (DESIGN section 6)."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from raft_exp.core.collection import hash64
from raft_exp.core.records import Question
from raft_exp.core.text import normalise
from raft_exp.dataset.rows import RenderedRow


class Audit:
    """Takes rows one by one, so that memory stays flat, and gives their figures by split."""

    def __init__(self) -> None:
        self._splits: dict[str, _Split] = {}
        self.rows = 0
        self.with_gold = 0

    def watch(self, rows: Iterable[RenderedRow]) -> Iterator[RenderedRow]:
        """Passes the rows on and counts them."""
        for row in rows:
            self.rows += 1
            self.with_gold += row.example.has_gold
            self._splits.setdefault(row.example.split, _Split()).add(row)
            yield row

    def figures(self) -> dict[str, Any]:
        """What audit.json says of the rows."""
        return {split: counted.figures() for split, counted in self._splits.items()}


class _Split:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sizes: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}  # has gold -> passages a row
        self.found: Counter[int] = Counter()  # place in the prompt -> gold passages there
        self.expected: dict[int, float] = defaultdict(float)  # the same, if places were drawn by chance
        self.prompt_tokens, self.completion_tokens = array("Q"), array("Q")

    def add(self, row: RenderedRow) -> None:
        example = row.example
        self.counts.update(row.counts)
        self.counts.update(repeated_texts=_repeats(row))
        self.counts.update(target_figures(row))
        self.sizes[example.has_gold][len(example.context)] += 1
        flags = [passage.gold for passage in example.context]
        for place, gold in enumerate(flags, start=1):
            self.found[place] += gold
            self.expected[place] += sum(flags) / len(flags)
        self.prompt_tokens.append(row.prompt_tokens)
        self.completion_tokens.append(row.completion_tokens)

    def figures(self) -> dict[str, Any]:
        with_gold, rows = self.sizes[True].total(), len(self.prompt_tokens)
        return {
            "rows": rows,
            "with_gold": with_gold,
            "share_with_gold": with_gold / rows,
            "passages_with_gold": _histogram(self.sizes[True]),
            "passages_without_gold": _histogram(self.sizes[False]),
            "gold_places": {
                str(place): {"found": self.found[place], "expected": round(self.expected[place], 6)}
                for place in sorted(self.expected)
            },
            **{name: self.counts[name] for name in sorted(self.counts)},
            "prompt_tokens": _spread(self.prompt_tokens),
            "completion_tokens": _spread(self.completion_tokens),
        }


def target_figures(row: RenderedRow) -> dict[str, int]:
    """Whether the target is grounded, its quotes, and how many stand verbatim in the row's context."""
    texts = [" ".join(passage.text.split()) for passage in row.example.context]
    verbatim = sum(any(" ".join(text.split()) in passage for passage in texts) for text in row.quotes)
    kind = "grounded" if row.example.target_grounded else "ungrounded"
    return {
        "grounded": int(row.example.target_grounded),
        f"quotes_{kind}": len(row.quotes),
        f"quotes_{kind}_verbatim": verbatim,
    }


def _repeats(row: RenderedRow) -> int:
    texts = [normalise(passage.text) for passage in row.example.context if passage.text]
    return len(texts) - len(set(texts))


def _spread(values: Sequence[int]) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=min(20, max(values) - min(values) + 1))
    drawn = {"edges": [round(float(edge), 3) for edge in edges], "counts": counts.tolist()}
    return {"min": min(values), "median": median(values), "max": max(values), "sum": sum(values), "histogram": drawn}


def _histogram(values: Counter[int]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(values.items())}


def overlap(questions: Iterable[Question]) -> dict[str, dict[str, int]]:
    """What training shares with test and validation: the same question words, answers, gold passages.

    Compares 64-bit hashes, so that memory stays small.
    """
    seen: dict[str, dict[str, array[int]]] = defaultdict(lambda: defaultdict(partial(array, "Q")))
    for question in questions:
        of_split = seen[question.split]
        of_split["questions"].append(hash64(normalise(question.question)))
        of_split["answers"].extend(hash64(normalise(answer)) for answer in question.answers)
        of_split["passages"].extend(map(hash64, question.gold))
    return {
        split: {name: _shared(seen["train"][name], seen[split][name]) for name in ("questions", "answers", "passages")}
        for split in ("test", "validation")
    }


def _shared(one: "array[int]", other: "array[int]") -> int:
    return len(np.intersect1d(np.frombuffer(one, dtype=np.uint64), np.frombuffer(other, dtype=np.uint64)))
