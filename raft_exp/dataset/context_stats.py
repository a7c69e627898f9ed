"""Counters over a stream of rows: rows with too few distractors, and gold passages in the prompts."""

from collections import Counter
from collections.abc import Iterable, Iterator

from raft_exp.core.audit import GoldPart
from raft_exp.core.collection import Passages
from raft_exp.dataset.distractor_count import DistractorCount, of_question
from raft_exp.dataset.rows import RenderedRow, RowSpec


class ShortContextCounter:
    """Counts the rows with fewer distractors than the settings require, by split."""

    def __init__(
        self, collection: Passages, num_distractors: DistractorCount, seed: int, constant_size: bool = False
    ) -> None:
        self._collection, self._constant_size = collection, constant_size
        self._num_distractors, self._seed = num_distractors, seed
        self.rows = Counter[str]()  # split -> rows

    def watch(self, specs: Iterator[RowSpec]) -> Iterator[RowSpec]:
        """Yields the rows unchanged and counts those with too few passages."""
        for spec in specs:
            gold, context = {self._collection.find(name) for name in spec.question.gold}, set(spec.context or [])
            number = of_question(self._num_distractors, self._seed, spec.question.id)
            wanted = number + (len(gold) if self._constant_size else len(gold & context))
            self.rows[spec.question.split] += len(context) < wanted
            yield spec


class GoldInContext:
    """Counts by split the rows whose prompt shows all gold passages of the question, some gold passages, or none.

    A question without gold passages counts under "none".
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[GoldPart, int]] = {}

    def watch(self, rows: Iterable[RenderedRow]) -> Iterator[RenderedRow]:
        """Yields the rows unchanged and counts them."""
        for row in rows:
            counts = self._rows.setdefault(row.example.split, {"whole": 0, "part": 0, "none": 0})
            counts["whole" if row.example.has_gold else "part" if row.gold_shown else "none"] += 1
            yield row

    def figures(self) -> dict[str, dict[GoldPart, int]]:
        """Returns for each split the number of rows under "whole", "part" and "none"."""
        return self._rows


class GoldRecall:
    """Counts the gold passages in the prompts, after passages were shortened to the model's length."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def watch(self, rows: Iterable[RenderedRow]) -> Iterator[RenderedRow]:
        """Yields the rows unchanged and counts their gold passages."""
        for row in rows:
            shown, wanted = row.gold_shown, row.gold_wanted
            if wanted:  # questions of NQ-open have no gold passages
                self._counts.update(questions=1, whole=int(shown == wanted), gold=wanted, shown=shown)
            yield row

    def figures(self) -> dict[str, float]:
        """Returns the shares `all_gold` and `recall`; {} if no question has gold passages.

        - `all_gold`: share of the questions whose prompt contains all their gold passages.
        - `recall`: share of all gold passages that are in a prompt.
        """
        counts = self._counts
        if not counts:
            return {}
        return {"all_gold": counts["whole"] / counts["questions"], "recall": counts["shown"] / counts["gold"]}
