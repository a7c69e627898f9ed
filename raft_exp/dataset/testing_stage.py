"""Stage `dataset` for the test sets: one context per question, which all arms share."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.gold_place import GoldPlace
from raft_exp.core.sampling import HashSample
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, Seed, config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import split_passages
from raft_exp.dataset import recipes, window_check
from raft_exp.dataset.conflicts import Conflicts
from raft_exp.dataset.context_stats import GoldRecall, ShortContextCounter
from raft_exp.dataset.found import Coming, SearchedSplit, found_ranker, is_search, search
from raft_exp.dataset.recipes import QuestionTargets
from raft_exp.dataset.retrieval_quality import RetrievalQuality
from raft_exp.dataset.rows import RowFormat, RowSpec, Window
from raft_exp.dataset.supply import EVALUATION_NAMES, DistractorSupply, SettingNames
from raft_exp.dataset.writing import VERSION, Watch, sampled, write_rows
from raft_exp.prompts import PromptConfig
from raft_exp.retrieval import Distractors, Rankers, RetrieverConfig, Shares, source_names
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.rerank import Rankings


@config_dataclass
class TestStage:
    """The settings of the test rows."""

    split: Literal["test", "validation"]
    context: Literal["gold_and_distractors", "retrieved", "given"]
    num_distractors: Count
    distractors: Distractors
    mixed: Shares | None
    same_document: bool
    allow_fewer: bool
    retriever: RetrieverConfig
    gold_at: GoldPlace | None
    without_gold: bool
    max_items: Positive | None
    prompt: PromptConfig
    prompt_mode: str
    window: Window
    seed: Seed
    workers: Runtime[Count]
    names: Runtime[SettingNames] = EVALUATION_NAMES
    # Other prompts of arms: the contexts, which all arms share, are cut to fit into each of them.
    other_prompts: KeyedWhenSet[list[PromptConfig]] = field(default_factory=list)
    allow_cut: KeyedWhenSet[bool] = True  # passages may be shortened to fit the prompt
    conflict: KeyedWhenSet[bool] = False  # a false passage replaces a distractor; questions without one are left out


def compute_shard(
    config: TestStage,
    *,
    passages: Path,
    questions: Path,
    shard: Shard,
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
) -> None:
    """Searches for the passages of the shard's questions, and writes found.jsonl."""
    del reranked  # contexts of reranked passages need no search
    source, collection = QuestionTargets(questions, None), split_passages(passages, questions)
    sample = test_sample(config, source)
    rankers = _rankers(config, collection, embedded, indexed)

    def chooser(coming: Coming) -> recipes.ContextChooser:
        if config.context == "retrieved":
            return _retrieved(config, rankers, coming)
        return _supply(config, rankers, source, sample, coming)

    searched = SearchedSplit(partial(sampled, source, config.split, sample), len(sample), chooser)
    search([searched], shard, rankers.distractor_filter.rejected_candidates, out)


def join_shards(
    config: TestStage,
    *,
    passages: Path,
    questions: Path,
    shards: Sequence[Path],
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
) -> None:
    """Writes the files of `test_set` with the passages from found.jsonl of all shards."""
    del embedded, indexed, reranked  # for the search
    _write(config, passages, questions, out, found=shards)


def _is_searched(config: TestStage) -> bool:
    if config.context == "retrieved":
        return config.retriever.rerank is None
    return config.context == "gold_and_distractors" and is_search(source_names(config.distractors, config.mixed))


@stage("dataset", VERSION, sharded=Sharded(compute_shard, join_shards, _is_searched, resumable=True))
def test_set(
    config: TestStage,
    *,
    passages: Path,
    questions: Path,
    out: Path,
    embedded: Mapping[str, Path] | None = None,  # noqa: PT028
    indexed: Path | None = None,  # noqa: PT028
    reranked: Path | None = None,  # noqa: PT028
) -> None:
    """Writes rows.jsonl, audit.json and counts.json of the test rows: one context per question, the same for every arm.

    With `context=retrieved`, audit.json also has the figures of `raft_exp.dataset.retrieval_quality`. `reranked`: the
    folder of stage `rerank`, with `retriever.rerank`. Raises DataError if there are no questions, a context cannot be
    made, a prompt is too long, or with `conflict` no question can have a false passage.
    """
    _write(config, passages, questions, out, embedded, indexed, reranked)


def _write(
    config: TestStage,
    passages: Path,
    questions: Path,
    out: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    reranked: Path | None = None,
    found: Sequence[Path] | None = None,
) -> None:
    source, collection = QuestionTargets(questions, None), split_passages(passages, questions)
    sample = test_sample(config, source)
    rankings = Rankings(reranked) if reranked else None
    chooser = partial(context_chooser, config, source, sample, collection, embedded, indexed, rankings, found)
    choose, gold_recall = chooser(), GoldRecall()
    num_distractors = config.num_distractors if config.context == "gold_and_distractors" else 0
    constant_size = bool(num_distractors) and config.without_gold
    short_contexts = ShortContextCounter(collection, num_distractors, config.seed, constant_size)
    questions_in_order = sampled(source, config.split, sample)
    unwatched = (RowSpec(question, choose(question), None) for question in questions_in_order)
    specs = short_contexts.watch(unwatched)
    figures: dict[str, object] = {}
    watch: Watch = gold_recall.watch
    if config.conflict:
        conflicts = Conflicts(collection, partial(source.of, config.split), config.seed)
        specs, figures = conflicts.alone(specs), {"conflicts": lambda: {config.split: conflicts.figures()}}
        watch = lambda rendered: gold_recall.watch(conflicts.shown(rendered))  # noqa: E731
    if config.context == "retrieved":
        quality = RetrievalQuality(collection, config.retriever, rankings)
        specs, figures = quality.watch(specs), {"retrieval": quality.figures}
    row_format = test_row_format(config)
    if not config.allow_cut:
        choose_again = chooser()
        whole = (RowSpec(question, choose_again(question), None) for question in sampled(source, config.split, sample))
        place = (size_setting(config), config.names.condition)
        window_check.refuse(window_check.longest(row_format, passages, whole, *place), config.window.max_length)
        watch = _both(partial(window_check.watch, place=place, max_length=config.window.max_length), watch)
    write_rows(
        row_format,
        passages,
        specs,
        len(sample),
        config.workers,
        out,
        watch,
        context=config.context,
        gold_found=gold_recall.figures,
        fewer_distractors=short_contexts.rows,
        **figures,
    )
    if config.conflict:
        conflicts.check(config.names.condition)


def test_sample(config: TestStage, source: QuestionTargets) -> HashSample:
    """Returns the ids of the questions of `config.split`, at most `max_items`. Raises DataError if there are none."""
    sample = source.sample(config.split, config.max_items, config.seed)
    if not sample:
        raise DataError(
            f"the corpus has no {config.split} questions; add them to the corpus files, or set corpus.{config.split} "
            "to a share of its questions"
        )
    return sample


def context_chooser(
    config: TestStage,
    source: QuestionTargets,
    sample: HashSample,
    collection: Passages,
    embedded: Mapping[str, Path] | None,
    indexed: Path | None,
    rankings: Rankings | None = None,
    found: Sequence[Path] | None = None,
) -> recipes.ContextChooser:
    """Returns the function that chooses the context of each test question in the sample.

    `rankings`: the reranked passages of retrieved contexts, with `retriever.rerank`. `found`: the folders of the shards
    of the search, if it is spread; the returned function must then get the questions in the order of the sample.
    """
    rankers = _rankers(config, collection, embedded, indexed)
    coming = partial(sampled, source, config.split, sample)
    if config.context == "given":
        choose = recipes.published(collection)
        choose = recipes.without_gold(collection, choose) if config.without_gold else choose
        return recipes.gold_at(config.gold_at, collection, choose, f"{_group(config)}.gold_at")
    if config.context == "retrieved" and rankings:
        return recipes.retrieved(rankings.ranked, config.retriever.k)
    if config.context == "retrieved":
        return _retrieved(config, rankers, coming, found)
    supply = _supply(config, rankers, source, sample, coming, found)
    chooser = recipes.distractors_alone if config.without_gold else recipes.gold_and_distractors
    choose = chooser(supply, config.seed)
    return recipes.gold_at(config.gold_at, collection, choose, f"{_group(config)}.gold_at")


def _rankers(
    config: TestStage, collection: Passages, embedded: Mapping[str, Path] | None, indexed: Path | None
) -> Rankers:
    distractor_filter = DistractorFilter(collection, config.same_document, answer_allowed=not config.without_gold)
    return Rankers(distractor_filter, config.seed, embedded, indexed=indexed)


def _retrieved(
    config: TestStage, rankers: Rankers, coming: Coming, found: Sequence[Path] | None = None
) -> recipes.ContextChooser:
    distractor_filter = rankers.distractor_filter
    if found is not None:
        rank = found_ranker(found, distractor_filter.rejected_candidates)
    else:
        everything = np.arange(len(distractor_filter.passages))
        rank = rankers.ranker(config.retriever.name, None, everything, coming)
    return recipes.retrieved(rank, config.retriever.k)


def _supply(
    config: TestStage,
    rankers: Rankers,
    source: QuestionTargets,
    sample: HashSample,
    coming: Coming,
    found: Sequence[Path] | None = None,
) -> DistractorSupply:
    """Returns the function that selects the distractors. `coming`: the questions of this process, in order."""
    distractor_filter = rankers.distractor_filter
    pool = pools.pool(pools.document_splits(distractor_filter.passages, source.all_questions()), config.split)
    if found is not None:
        rank = found_ranker(found, distractor_filter.rejected_candidates)
    else:
        rank = rankers.ranker(config.distractors, config.mixed, pool, coming)
    return DistractorSupply(
        distractor_filter,
        rank,
        len(pool),
        config.num_distractors,
        config.seed,
        in_place_of_gold=lambda question: len(question.gold) if config.without_gold else 0,
        questions=partial(sampled, source, config.split, sample),
        allow_fewer=config.allow_fewer or config.distractors == "given",
        names=config.names,
    )


def test_row_format(config: TestStage) -> RowFormat:
    """Returns the settings by which the test rows are rendered."""
    rendered = (config.prompt, config.prompt_mode, True, config.window, True, config.other_prompts)
    return RowFormat(*rendered, measure_cut=not config.allow_cut)


def size_setting(config: TestStage) -> str:
    """Returns the setting that decides the number of passages, with its value, for messages."""
    place = _group(config)
    if config.context == "retrieved":
        return f"{place}.k={config.retriever.k}"
    if config.context == "given":
        return f"{place}.context=given"
    return f"{config.names.num_distractors}={config.num_distractors}"


def _group(config: TestStage) -> str:
    return f"evaluation.conditions.{config.names.condition}" if config.names.condition else "evaluation"


def _both(first: Watch, second: Watch) -> Watch:
    return lambda rendered: second(first(rendered))
