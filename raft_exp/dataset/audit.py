"""The audit of a dataset: counts of its rendered rows, which a reader can compare with the settings."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

import numpy as np

from raft_exp.core.audit import ROW_COUNTS, LengthFigures, LengthTell, RowCounts, SplitAudit, Spread
from raft_exp.core.text import plain_words
from raft_exp.corpora.gold import CLOSEST, SLICE
from raft_exp.dataset.rows import RenderedRow
from raft_exp.prompts.quotes import stands_exactly


class Audit:
    """Counts the rows of a stream, by split. Of each row, only a few numbers stay in memory, such as its length."""

    def __init__(self) -> None:
        self._splits: dict[str, _SplitCounts] = {}
        self.rows = 0
        self.with_gold = 0

    def watch(self, rows: Iterable[RenderedRow]) -> Iterator[RenderedRow]:
        """Yields the rows unchanged and counts them."""
        for row in rows:
            self.rows += 1
            self.with_gold += row.example.has_gold
            self._splits.setdefault(row.example.split, _SplitCounts()).add(row)
            yield row

    def figures(self) -> dict[str, SplitAudit]:
        """Returns the entry `splits` of audit.json: {split: figures}."""
        return {split: counts.figures() for split, counts in self._splits.items()}


class _SplitCounts:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        # whether rows have gold -> number of passages -> rows
        self.sizes: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
        self.gold_at: Counter[int] = Counter()  # place in the prompt, from 1 -> gold passages there
        self.expected_at: dict[int, float] = defaultdict(float)  # the same under a uniform choice of places
        self.prompt_tokens, self.completion_tokens = array("Q"), array("Q")
        self.has_gold, self.text_left = array("B"), array("d")  # text_left: of cut rows

    def add(self, row: RenderedRow) -> None:
        example = row.example
        self.counts.update(row.counts)
        self.counts.update(repeated_texts=_repeats(row))
        self.counts.update(target_figures(row))
        self.sizes[example.has_gold][len(example.context)] += 1
        flags = [passage.gold for passage in example.context]
        for place, gold in enumerate(flags, start=1):
            self.gold_at[place] += gold
            self.expected_at[place] += sum(flags) / len(flags)
        self.prompt_tokens.append(row.prompt_tokens)
        self.completion_tokens.append(row.completion_tokens)
        self.has_gold.append(example.has_gold)
        if row.counts["rows_cut"]:
            self.text_left.append(row.text_left)

    def figures(self) -> SplitAudit:
        with_gold, rows = self.sizes[True].total(), len(self.prompt_tokens)
        counts: RowCounts = {}
        assert set(self.counts) <= set(ROW_COUNTS), "a new count needs an entry in raft_exp.core.audit"
        for name in ROW_COUNTS:
            if name in self.counts:
                counts[name] = self.counts[name]
        return {
            "rows": rows,
            "with_gold": with_gold,
            "share_with_gold": with_gold / rows,
            "passages_with_gold": _histogram(self.sizes[True]),
            "passages_without_gold": _histogram(self.sizes[False]),
            "gold_places": {
                str(place): {"found": self.gold_at[place], "expected": round(self.expected_at[place], 6)}
                for place in sorted(self.expected_at)
            },
            **counts,
            "prompt_tokens": _spread(self.prompt_tokens),
            "completion_tokens": _spread(self.completion_tokens),
            **self._lengths(),
        }

    def _lengths(self) -> LengthFigures:
        figures: LengthFigures = {}
        if 0 < sum(self.has_gold) < len(self.has_gold):
            figures["length_tell"] = length_tell(self.prompt_tokens, self.has_gold)
        if self.text_left:
            figures["median_text_left"] = median(self.text_left)
        return figures


def length_tell(tokens: Sequence[int], has_gold: Sequence[int]) -> LengthTell:
    """Returns the exact AUC (Mann-Whitney) of the prompt length as a predictor of missing gold, and both row counts.

    `tokens`: the number of prompt tokens of each row. `has_gold`: 1 for each row with gold, else 0; both values must
    occur.
    """
    lengths, gold = np.asarray(tokens), np.asarray(has_gold, dtype=bool)
    ranked, others = np.sort(lengths[gold]), lengths[~gold]
    # for each row without gold: twice the number of shorter rows with gold, plus the number of equally long ones
    wins = np.searchsorted(ranked, others, "left") + np.searchsorted(ranked, others, "right")
    auc = int(wins.sum()) / (2 * len(ranked) * len(others))
    return {"auc": round(auc, 6), "with_gold": len(ranked), "without_gold": len(others)}


def target_figures(row: RenderedRow) -> dict[str, int]:
    """Returns three counts of one row, under keys of `core.audit.RowCounts`.

    - `grounded`: 1 for a grounded target, else 0.
    - `quotes_KIND`: the number of quotes in the target.
    - `quotes_KIND_verbatim`: the number of these quotes that a passage of the context contains word for word.

    KIND is `ungrounded` or `grounded`, or `closest` for a grounded target whose gold was assigned by similarity.
    """
    texts = [passage.text for passage in row.example.context]
    verbatim = sum(any(stands_exactly(quote, text) for text in texts) for quote in row.quotes)
    kind = "grounded" if row.example.target_grounded else "ungrounded"
    if kind == "grounded" and row.example.slices.get(SLICE) == CLOSEST:
        kind = "closest"
    return {
        "grounded": int(row.example.target_grounded),
        f"quotes_{kind}": len(row.quotes),
        f"quotes_{kind}_verbatim": verbatim,
    }


def _repeats(row: RenderedRow) -> int:
    texts = [plain_words(passage.text) for passage in row.example.context if passage.text]
    return len(texts) - len(set(texts))


def _spread(values: Sequence[int]) -> Spread:
    counts, edges = np.histogram(values, bins=min(20, max(values) - min(values) + 1))
    return {
        "min": min(values),
        "median": median(values),
        "max": max(values),
        "sum": sum(values),
        "histogram": {"edges": [round(float(edge), 3) for edge in edges], "counts": counts.tolist()},
    }


def _histogram(values: Counter[int]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(values.items())}
