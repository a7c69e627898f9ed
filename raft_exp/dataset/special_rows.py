"""Special training rows: refusals by `dataset.refuse_share`, and false passages by `dataset.conflict_share`."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from raft_exp.core.collection import Passages
from raft_exp.core.sampling import HashSample
from raft_exp.dataset import contexts
from raft_exp.dataset.conflicts import Conflicts
from raft_exp.dataset.recipes import QuestionTargets, RaftRecipe
from raft_exp.dataset.rows import RowSpec


class SpecialRows:
    """Puts false passages into a share of the rows with gold, and counts the special rows by split."""

    def __init__(
        self, recipe: RaftRecipe, source: QuestionTargets, collection: Passages, conflict_share: float
    ) -> None:
        self._recipe, self._source, self._collection = recipe, source, collection
        self._conflict_share = conflict_share
        self._refusals, self._conflicts = Counter[str](), dict[str, Conflicts]()

    def watch(self, specs: Iterable[RowSpec], split: str, sample: HashSample) -> Iterator[RowSpec]:
        """Yields the rows of a split, some of them with a false passage."""
        if self._conflict_share:
            asked = partial(self._source.of, split)
            conflicts = self._conflicts[split] = Conflicts(self._collection, asked, self._recipe.seed)
            with_gold = self._recipe.with_gold(self._source, split, sample)
            names = (question.id for question in asked() if question.id in sample and question.id in with_gold)
            chosen = contexts.conflict_rows(names, self._conflict_share, self._recipe.seed)
            specs = conflicts.into(specs, chosen)
        for spec in specs:
            self._refusals[split] += spec.refuses
            yield spec

    def figures(self) -> dict[str, Callable[[], object]]:
        """Returns functions that compute the entries of audit.json when all rows are counted; {} without special rows.

        `refusals`: the number of rows that refuse by `refuse_share`, by split. `conflicts`: counts of the rows that
        were chosen for a false passage, by split: the rows that have one, then the rows that have none, by reason.
        """
        entries: dict[str, Callable[[], object]] = {}
        if self._recipe.refuse_share:
            entries["refusals"] = lambda: dict(self._refusals)
        if self._conflict_share:
            entries["conflicts"] = lambda: {split: made.figures() for split, made in self._conflicts.items()}
        return entries
