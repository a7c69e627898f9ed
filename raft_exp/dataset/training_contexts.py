"""Training contexts that do not depend on which passages are gold: retrieved passages, or the published ones.

A training row then looks like a test row of `evaluation.context=retrieved` or `given`: the same order of passages, with
or without gold. Passages of validation and test documents are left out, except for the gold passages of the question.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.core.sampling import HashSample
from raft_exp.dataset import contexts
from raft_exp.dataset.recipes import ContextChooser, QuestionTargets, RaftRecipe, published
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval import Rankers, RetrieverConfig
from raft_exp.retrieval.ranking import Ranker
from raft_exp.retrieval.rerank import Rankings

SplitFilter = Callable[[Question, Iterable[int]], Iterator[int]]  # yields the passages that a context may have


def split_filter(passages: Passages, pool: np.ndarray, left_out: Counter[str]) -> SplitFilter:
    """Returns a filter that yields the passages of `pool` and the gold passages of the question, in unchanged order.

    `pool`: ascending ordinals. The filter counts the other passages in `left_out` under "of_another_split".
    """
    allowed = np.zeros(len(passages), dtype=bool)
    allowed[pool] = True

    def keep(question: Question, ordinals: Iterable[int]) -> Iterator[int]:
        gold = {passages.find(name) for name in question.gold}
        for ordinal in ordinals:
            if allowed[ordinal] or ordinal in gold:
                yield ordinal
            else:
                left_out["of_another_split"] += 1

    return keep


def chooser(
    retriever: RetrieverConfig | None,
    rankers: Rankers,
    pool: np.ndarray,
    coming: Callable[[], Iterable[Question]],
    rankings: Rankings | None,
    found: Ranker | None = None,
) -> ContextChooser:
    """Returns the chooser of a row's context: the retriever's first k passages, best first, or the published context.

    - `retriever`: ranks the whole collection, as at test. None: the published context is chosen.
    - `pool`: the passages of the split as ascending ordinals. `coming`: returns the questions of the rows, in order.
    - `rankings`: the passages that `retriever.rerank` has ordered again; None without a reranker.
    - `found`: a ranker of the passages that a spread search wrote (`found.py`); it replaces the retriever.
    """
    passages = rankers.distractor_filter.passages
    keep = split_filter(passages, pool, rankers.distractor_filter.rejected_candidates)
    if retriever is None:
        return published_chooser(passages, keep)
    rank, k = found or _ranker(retriever, rankers, coming, rankings), retriever.k
    return lambda question: list(islice(keep(question, rank(question)), k))


def published_chooser(passages: Passages, keep: SplitFilter) -> ContextChooser:
    """Returns the chooser of the published context, in published order, without the passages that `keep` drops."""
    choose = published(passages, "dataset.context")
    return lambda question: list(keep(question, choose(question)))


def _ranker(
    retriever: RetrieverConfig, rankers: Rankers, coming: Callable[[], Iterable[Question]], rankings: Rankings | None
) -> Ranker:
    everything = np.arange(len(rankers.distractor_filter.passages))
    rank = rankers.ranker(retriever.name, None, everything, coming)
    # `split_filter` drops passages of other splits: fewer than k of the reranked passages may remain
    return rankings.with_rest(rank) if rankings else rank


def specs(
    recipe: RaftRecipe,
    source: QuestionTargets,
    split: str,
    sample: HashSample,
    choose: ContextChooser,
    passages: Passages,
) -> Iterator[RowSpec]:
    """Yields one row for each question of the sample that has a target, with the context of `choose`, in raft's order.

    If the context of a row has all gold passages of its question, the row teaches the target from `source`. For the
    other rows, `recipe` decides what they teach.
    """
    choose, refusing = _with_refusals(recipe, source, split, sample, choose, passages)
    for question, target in source.with_targets(split):
        if question.id in sample:
            context = choose(question)
            has_gold = _has_all_gold(question, context, passages)
            yield recipe.spec(question, context, has_gold, target, question.id in refusing)


def _has_all_gold(question: Question, context: Iterable[int], passages: Passages) -> bool:
    gold = {passages.find(name) for name in question.gold}
    return bool(gold) and not question.gold_missing and gold <= set(context)


def _with_refusals(
    recipe: RaftRecipe,
    source: QuestionTargets,
    split: str,
    sample: HashSample,
    choose: ContextChooser,
    passages: Passages,
) -> tuple[ContextChooser, HashSample | frozenset[str]]:
    """Returns (chooser, ids of the questions whose rows refuse by `refuse_share`, a share of the rows without gold).

    Only the contexts show which rows have gold, so with a `refuse_share` all contexts are computed first and held in
    memory: 4 bytes per passage.
    """
    if not recipe.refuse_share:
        return choose, frozenset()
    questions = [question for question in source.of(split) if question.id in sample]
    chosen = {question.id: array("I", choose(question)) for question in questions}
    without = (q.id for q in questions if not _has_all_gold(q, chosen[q.id], passages))
    refusing = contexts.refusing_rows(without, recipe.refuse_share, recipe.seed)
    return lambda question: chosen[question.id].tolist(), refusing
