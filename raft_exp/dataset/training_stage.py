"""Stage `dataset` for the training sets: the rows of the recipes `raft` and `closed_book`.

The settings are those of the paper (arXiv 2403.10131, section 3). docs/explanation/raft-data-sets.md states the rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Target, read_jsonl
from raft_exp.core.sampling import HashSample
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, Seed, Share, config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import split_passages
from raft_exp.dataset import recipes, training_contexts
from raft_exp.dataset.config import DatasetConfig
from raft_exp.dataset.context_stats import GoldInContext, ShortContextCounter
from raft_exp.dataset.found import Coming, SearchedSplit, found_ranker, is_search, search
from raft_exp.dataset.overlap import check_overlap
from raft_exp.dataset.recipes import ContextChooser, QuestionTargets, RaftRecipe
from raft_exp.dataset.rows import RowFormat, RowSpec, Window
from raft_exp.dataset.special_rows import SpecialRows
from raft_exp.dataset.supply import DATASET_NAMES, SettingNames
from raft_exp.dataset.writing import VERSION, sampled, write_rows
from raft_exp.prompts import PromptConfig
from raft_exp.retrieval import Margin, Rankers, RetrieverConfig, source_names
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker
from raft_exp.retrieval.rerank import Rankings


@config_dataclass
class RaftStage:
    """The settings of a raft training set."""

    dataset: DatasetConfig
    prompt: PromptConfig
    window: Window
    seed: Seed
    names: Runtime[SettingNames] = DATASET_NAMES
    retriever: KeyedWhenSet[RetrieverConfig | None] = None  # with dataset.context=retrieved


@config_dataclass
class ClosedBookStage:
    """The settings of a closed-book training set. It has no settings for passages."""

    prompt: PromptConfig
    prompt_mode: str
    max_items: Positive | None
    allow_overlap: bool
    max_gold_overlap: Share | None
    window: Window
    seed: Seed
    workers: Runtime[Count]
    cot: KeyedWhenSet[bool] = False  # targets hold the reasoning of the raft recipe, which quotes unseen passages


class _Training:
    """The inputs of a raft training set. `found`: the folders of the search's shards, if the search is spread.

    Raises DataError for a leak (`check_overlap`), and if `dataset.cot` needs reasoning that the targets do not have.
    """

    def __init__(
        self,
        config: RaftStage,
        passages: Path,
        questions: Path,
        targets: Path,
        embedded: Mapping[str, Path] | None = None,
        indexed: Path | None = None,
        reranked: Path | None = None,
        found: Sequence[Path] | None = None,
    ) -> None:
        settings, source = config.dataset, QuestionTargets(questions, targets)
        self._config, self._found, self.passages = config, found, passages
        self.source, self.collection = source, split_passages(passages, questions)
        self.shared = check_overlap(source, self.collection, settings.allow_overlap, settings.max_gold_overlap)
        if settings.cot:
            _check_reasons(targets, "dataset.cot=true", "dataset.cot=false")
        self.recipe = raft_recipe(config)
        self._rankers = training_rankers(config, self.collection, embedded, indexed)
        self.distractor_filter = self._rankers.distractor_filter
        self._owners = pools.document_splits(self.collection, source.all_questions())
        self._rankings = Rankings(reranked) if reranked else None

    def pool(self, split: str) -> np.ndarray:
        """Returns the ascending ordinals of the passages that may be distractors of a split."""
        return pools.pool(self._owners, split)

    def ranker(self, split: str, coming: Coming) -> Ranker:
        """Returns the ranker of the distractors of a split. `coming`: streams its questions in order."""
        settings = self._config.dataset
        if self._found is not None:
            return found_ranker(self._found, self.distractor_filter.rejected_candidates)
        return self._rankers.ranker(settings.distractors, settings.mixed, self.pool(split), coming)

    def chooser(self, split: str, coming: Coming) -> ContextChooser:
        """Returns the chooser of the contexts of a split, which do not depend on the gold passages."""
        found = None
        if self._found is not None:
            found = found_ranker(self._found, self.distractor_filter.rejected_candidates)
        retriever = self._config.retriever
        return training_contexts.chooser(retriever, self._rankers, self.pool(split), coming, self._rankings, found)

    def searched(self) -> Iterator[SearchedSplit]:
        """Yields the questions of each split, for the shards of the search."""
        samples = _samples(self.source, self._config.dataset.max_items, self._config.seed)
        for split, sample in samples.items():
            find = partial(self._find, split, sample)
            yield SearchedSplit(partial(sampled, self.source, split, sample), len(sample), find)

    def _find(self, split: str, sample: HashSample, coming: Coming) -> ContextChooser:
        if not self._config.dataset.chooses_gold:
            return self.chooser(split, coming)
        rank, size = self.ranker(split, coming), len(self.pool(split))
        return self.recipe.supply(self.source, split, sample, self.distractor_filter, rank, size)


def compute_shard(
    config: RaftStage,
    *,
    passages: Path,
    questions: Path,
    targets: Path,
    shard: Shard,
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
) -> None:
    """Searches for the passages of the shard's questions, and writes found.jsonl."""
    training = _Training(config, passages, questions, targets, embedded, indexed, reranked)
    search(training.searched(), shard, training.distractor_filter.rejected_candidates, out)


def join_shards(
    config: RaftStage,
    *,
    passages: Path,
    questions: Path,
    targets: Path,
    shards: Sequence[Path],
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
) -> None:
    """Writes the files of `raft` with the passages from found.jsonl of all shards."""
    del embedded, indexed, reranked  # for the search
    _write(config, _Training(config, passages, questions, targets, found=shards), out)


def _is_searched(config: RaftStage) -> bool:
    data = config.dataset
    if config.retriever is not None:
        return True
    return data.chooses_gold and is_search(source_names(data.distractors, data.mixed))


@stage("dataset", VERSION, sharded=Sharded(compute_shard, join_shards, _is_searched, resumable=True))
def raft(
    config: RaftStage,
    *,
    passages: Path,
    questions: Path,
    targets: Path,
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
) -> None:
    """Writes rows.jsonl, audit.json and counts.json of the raft recipe: training rows, then validation rows.

    `embedded`, `indexed`: the folders of the stages embed and index, for dense and bm25 search. `reranked`: the folder
    of stage `rerank`, for retrieved contexts with `retriever.rerank`. Raises DataError for held-out questions in the
    training data, too few distractors, targets without reasoning under `dataset.cot`, and prompts that are too long
    even with empty passages.
    """
    _write(config, _Training(config, passages, questions, targets, embedded, indexed, reranked), out)


def _write(config: RaftStage, training: _Training, out: Path) -> None:
    settings, source, collection = config.dataset, training.source, training.collection
    recipe, distractor_filter = training.recipe, training.distractor_filter
    short_contexts = ShortContextCounter(collection, settings.num_distractors, config.seed, settings.constant_size)
    special = SpecialRows(recipe, source, collection, settings.conflict_share)
    gold = GoldInContext()

    def specs(split: str, sample: HashSample) -> Iterator[RowSpec]:
        coming = partial(sampled, source, split, sample)
        if not settings.chooses_gold:
            choose = training.chooser(split, coming)
            rows_of_split = training_contexts.specs(recipe, source, split, sample, choose, collection)
            return special.watch(rows_of_split, split, sample)
        rank, pool_size = training.ranker(split, coming), len(training.pool(split))
        specs = recipe.specs(source, split, sample, distractor_filter, rank, pool_size)
        return short_contexts.watch(special.watch(specs, split, sample))

    row_format = RowFormat(config.prompt, settings.prompt_mode, settings.cot, config.window, False)
    total, learned = _training_specs(source, settings.max_items, config.seed, specs)
    write_rows(
        row_format,
        training.passages,
        learned,
        total,
        settings.workers,
        out,
        gold.watch,
        overlap=training.shared,
        passed_over=distractor_filter.rejected_candidates,
        fewer_distractors=short_contexts.rows,
        **special.figures(),
        **({} if settings.chooses_gold else {"context": settings.context, "gold_in_context": gold.figures}),
    )


@stage("dataset", VERSION)
def closed_book(config: ClosedBookStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl, audit.json and counts.json of the closed-book recipe.

    The rows have the questions of raft without passages. The targets are the answers; with `cot`, the reasoning comes
    before the answer. Raises DataError for held-out questions in the training data, and with `cot` for targets without
    reasoning.
    """
    if config.cot:
        _check_reasons(targets, "an arm with recipe: closed_book and dataset: {cot: true}", "remove the arm")
    source = QuestionTargets(questions, targets)
    collection = split_passages(passages, questions)
    shared = check_overlap(source, collection, config.allow_overlap, config.max_gold_overlap)
    row_format = RowFormat(config.prompt, config.prompt_mode, config.cot, config.window, False)
    specs = partial(recipes.closed_book, source, cot=config.cot)
    total, learned = _training_specs(source, config.max_items, config.seed, specs)
    write_rows(row_format, passages, learned, total, config.workers, out, overlap=shared)


def raft_recipe(config: RaftStage) -> RaftRecipe:
    """Returns the recipe of a training set."""
    settings = config.dataset
    return RaftRecipe(
        p=settings.p,
        num_distractors=settings.num_distractors,
        constant_size=settings.constant_size,
        partial_gold=settings.partial_gold,
        no_gold_target=settings.no_gold_target,
        refusal=config.prompt.refusal,
        allow_fewer=settings.allow_fewer or settings.distractors == "given",
        seed=config.seed,
        names=config.names,
        refuse_share=settings.refuse_share,
    )


def training_rankers(
    config: RaftStage, collection: Passages, embedded: Mapping[str, Path] | None, indexed: Path | None
) -> Rankers:
    """Returns the rankers of the distractors of a training set."""
    settings = config.dataset
    distractor_filter = DistractorFilter(collection, settings.same_document, settings.allow_answer_in_distractor)
    margin = Margin(settings.max_score, settings.relative_margin)
    return Rankers(distractor_filter, config.seed, embedded, margin, indexed)


def _check_reasons(targets: Path, setting: str, remedy: str) -> None:
    """Raises DataError if no target has reasoning.

    `setting`: the setting that requires reasoning. `remedy`: the change of settings that makes reasoning unnecessary.
    """
    if not any(target.reason for target in read_jsonl(targets / "targets.jsonl", Target)):
        raise DataError(f"{setting}, but the teacher wrote no reasoning; use teacher=extractive or {remedy}")


def _training_specs(
    source: QuestionTargets, max_items: int | None, seed: int, specs: Callable[[str, HashSample], Iterator[RowSpec]]
) -> tuple[int, Iterator[RowSpec]]:
    """Returns (number of rows, row specs): at most `max_items` training rows, then all validation rows."""
    samples = _samples(source, max_items, seed)
    rows_in_order = chain.from_iterable(specs(split, sample) for split, sample in samples.items())
    return sum(map(len, samples.values())), rows_in_order


def _samples(source: QuestionTargets, max_items: int | None, seed: int) -> dict[str, HashSample]:
    """Returns the ids of the questions of each split that has any, in the order of the rows."""
    samples = {"train": source.sample("train", max_items, seed), "validation": source.sample("validation", None, seed)}
    return {split: sample for split, sample in samples.items() if sample}
