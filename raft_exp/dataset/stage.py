"""Stage `dataset`: the training rows of a recipe, and the test rows that all arms answer.

A row passes through these files: `recipes.py` pairs a question with its passages and its target (a `RowSpec`), by the
rules of `contexts.py`; `rows.py` renders the prompt and the target; `audit.py` counts.
docs/explanation/raft-data-sets.md states the rules. The settings are those of the paper (arXiv 2403.10131, section 3).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from raft_exp import retrieval
from raft_exp.core.audit import OverlapCounts
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.gold_place import GoldPlace
from raft_exp.core.progress import track
from raft_exp.core.records import Question, Target, read_jsonl, write_jsonl
from raft_exp.core.sampling import HashSample
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, Seed, Share, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import split_passages
from raft_exp.dataset import overlap, recipes, rows, training_contexts, window_check
from raft_exp.dataset.audit import Audit
from raft_exp.dataset.conflicts import Conflicts
from raft_exp.dataset.context_stats import GoldInContext, GoldRecall, ShortContextCounter
from raft_exp.dataset.distractor_count import DistractorCount, least, most, shown
from raft_exp.dataset.recipes import QuestionTargets, RaftRecipe
from raft_exp.dataset.retrieval_quality import RetrievalQuality
from raft_exp.dataset.rows import RenderedRow, RowFormat, RowSpec, Window
from raft_exp.dataset.special_rows import SpecialRows
from raft_exp.dataset.supply import DATASET_NAMES, EVALUATION_NAMES, DistractorSupply, SettingNames
from raft_exp.prompts import PromptConfig, PromptMode
from raft_exp.retrieval import Distractors, Margin, Rankers, RetrieverConfig, Shares
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.rerank import Rankings

VERSION = 4

TrainingContext = Literal["gold_and_distractors", "retrieved", "given"]
Watch = Callable[[Iterable[RenderedRow]], Iterable[RenderedRow]]


@config_dataclass
class DatasetConfig:
    """How a RAFT training set is built.

    A training row shows the model a question and a context of passages, and teaches it a target. D is
    `num_distractors`; if this is a range, each question has a D of its own. g is the number of gold passages:

    - With gold (a share p of the training rows): the context has the g gold passages and D distractors.
    - Without gold (the other rows): the context has D + g distractors with `constant_size`, else D. With
      `constant_size` the number of passages does not reveal whether gold is missing. `no_gold_target` decides the
      target of such a row.
    """

    p: Share  # share of training rows whose context holds the gold, before any cut; exactly round(p * rows)
    num_distractors: DistractorCount  # D, or the range {min, max} of D
    distractors: Distractors  # the source of the distractors
    mixed: Shares | None  # with distractors=mixed: the share of each source
    max_score: float | None  # bm25 and dense: highest score of a distractor against the question
    relative_margin: Share | None  # bm25 and dense: a distractor scores at least this share below the best gold passage
    prompt_mode: PromptMode  # format of the user message
    cot: bool  # targets hold a reasoning before the answer
    constant_size: bool  # rows without gold have as many passages as rows with it
    # Target of a row without gold: the same target as with gold (the paper's A*) | its answer alone | prompt.refusal
    no_gold_target: Literal["answer", "answer_only", "refuse"]
    partial_gold: bool  # rows without gold keep half of the gold passages, rounded down
    same_document: bool  # distractors may come from a document of a gold passage
    allow_answer_in_distractor: bool  # distractors may hold an open answer (yes, no and maybe are never checked)
    allow_fewer: bool  # build rows with fewer distractors where a source has not enough
    allow_overlap: bool  # build the set although a test question is in the training data
    max_items: Positive | None  # largest number of training rows; a smaller set is a subset of a larger one
    path: Runtime[str | None]  # a chat file to train on instead; its content is part of the key
    workers: Runtime[Count]  # processes that render rows
    # Largest share of the held-out questions that may rest on gold passages of training. None: any share where the
    # published splits share gold passages (`Corpus.shares_gold`), else `overlap.MOST_GOLD_OVERLAP`.
    max_gold_overlap: KeyedWhenSet[Share | None] = None
    # Exactly this share of the rows without gold learns prompt.refusal; no_gold_target is the target of the others.
    refuse_share: KeyedWhenSet[Share] = 0.0
    # In this share of the rows with gold, a false passage replaces a distractor, where one is possible (`conflicts`).
    conflict_share: KeyedWhenSet[Share] = 0.0
    # Passages of a training row: gold (a share p) and distractors | the retriever's first k | the published ones.
    context: KeyedWhenSet[TrainingContext] = "gold_and_distractors"
    k: KeyedWhenSet[Positive | None] = None  # passages of a retrieved context; None: retriever.k

    @property
    def chooses_gold(self) -> bool:
        """Whether the settings, and not a retriever or a published context, decide which rows have gold."""
        return self.context == "gold_and_distractors"

    @model_validator(mode="after")
    def _settings_suit_the_context(self) -> "DatasetConfig":
        if self.k is not None and self.context != "retrieved":
            raise ValueError(
                f"dataset.k: got {self.k}, but dataset.context={self.context} has no retrieved passages; use "
                "dataset.context=retrieved, or dataset.k=null"
            )
        if self.conflict_share and not self.chooses_gold:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but false passages replace distractors that "
                f"are selected for a question, and dataset.context={self.context} selects none; use "
                "dataset.conflict_share=0, or dataset.context=gold_and_distractors"
            )
        return self

    @model_validator(mode="after")
    def _shares_have_rows(self) -> "DatasetConfig":
        if self.refuse_share and self.no_gold_target == "refuse":
            raise ValueError(
                f"dataset.refuse_share: got {self.refuse_share:g}, but dataset.no_gold_target=refuse makes all rows "
                "without gold refuse; use dataset.no_gold_target=answer, or dataset.refuse_share=0"
            )
        if self.refuse_share and self.p == 1 and self.chooses_gold:
            raise ValueError(
                f"dataset.refuse_share: got {self.refuse_share:g}, but with dataset.p=1 every row has gold; use a "
                "smaller dataset.p such as 0.8, or dataset.refuse_share=0"
            )
        if self.conflict_share and self.p == 0:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but with dataset.p=0 no row has gold; use a "
                "larger dataset.p such as 0.8, or dataset.conflict_share=0"
            )
        if self.conflict_share and most(self.num_distractors) == 0:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but with dataset.num_distractors=0 a row with "
                "gold has no distractor that a false passage could replace; use dataset.num_distractors=1 or more, or "
                "dataset.conflict_share=0"
            )
        return self

    @model_validator(mode="after")
    def _sources_are_whole(self) -> "DatasetConfig":
        margin = {"max_score": self.max_score, "relative_margin": self.relative_margin}
        retrieval.check_shares("dataset", self.distractors, self.mixed)
        retrieval.check_margin("dataset", self.distractors, self.mixed, margin)
        return self

    @model_validator(mode="after")
    def _quotes_have_passages(self) -> "DatasetConfig":
        without_passages = least(self.num_distractors) == 0 and not self.constant_size and self.p < 1
        if self.chooses_gold and without_passages and self.cot and self.no_gold_target == "answer":
            raise ValueError(
                f"dataset.num_distractors: got {shown(self.num_distractors)} with dataset.constant_size=false and "
                f"dataset.p={self.p:g}, so rows without gold have no passage to quote; use "
                "dataset.constant_size=true, dataset.p=1, or dataset.no_gold_target=answer_only"
            )
        return self


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
    # Other wordings that arms may be asked in: the contexts, which all arms share, are cut to fit with each.
    other_prompts: KeyedWhenSet[list[PromptConfig]] = field(default_factory=list)
    allow_cut: KeyedWhenSet[bool] = True  # passages may be shortened to fit the prompt
    conflict: KeyedWhenSet[bool] = False  # a false passage replaces a distractor; questions without one are left out


@stage("dataset", VERSION)
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
    of stage `rerank`, for retrieved contexts with `retriever.rerank`.
    """
    settings, source, collection = (
        config.dataset,
        QuestionTargets(questions, targets),
        split_passages(passages, questions),
    )
    shared = check_overlap(source, collection, settings.allow_overlap, settings.max_gold_overlap)
    if settings.cot:
        _check_reasons(targets, "dataset.cot=true", "dataset.cot=false")
    recipe, rankers = raft_recipe(config), training_rankers(config, collection, embedded, indexed)
    distractor_filter = rankers.distractor_filter
    owners = pools.document_splits(collection, source.all_questions())
    short_contexts = ShortContextCounter(collection, settings.num_distractors, config.seed, settings.constant_size)

    special = SpecialRows(recipe, source, collection, settings.conflict_share)
    gold, rankings = GoldInContext(), Rankings(reranked) if reranked else None

    def specs(split: str, sample: HashSample) -> Iterator[RowSpec]:
        pool = pools.pool(owners, split)
        coming = partial(sampled, source, split, sample)
        if not settings.chooses_gold:
            choose = training_contexts.chooser(config.retriever, rankers, pool, coming, rankings)
            rows_of_split = training_contexts.specs(recipe, source, split, sample, choose, collection)
            return special.watch(rows_of_split, split, sample)
        rank = rankers.ranker(settings.distractors, settings.mixed, pool, coming)
        specs = recipe.specs(source, split, sample, distractor_filter, rank, len(pool))
        return short_contexts.watch(special.watch(specs, split, sample))

    row_format = RowFormat(config.prompt, settings.prompt_mode, settings.cot, config.window, False)
    total, learned = _training_specs(source, settings.max_items, config.seed, specs)
    _write(
        row_format,
        passages,
        learned,
        total,
        settings.workers,
        out,
        gold.watch,
        overlap=shared,
        passed_over=distractor_filter.rejected_candidates,
        fewer_distractors=short_contexts.rows,
        **special.figures(),
        **({} if settings.chooses_gold else {"context": settings.context, "gold_in_context": gold.figures}),
    )


@stage("dataset", VERSION)
def closed_book(config: ClosedBookStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl, audit.json and counts.json of the closed-book recipe.

    The rows have the questions of raft without passages. Their targets are the answers; with `cot`, the reasoning comes
    first.
    """
    if config.cot:
        _check_reasons(targets, "an arm with recipe: closed_book and dataset: {cot: true}", "remove the arm")
    source = QuestionTargets(questions, targets)
    collection = split_passages(passages, questions)
    shared = check_overlap(source, collection, config.allow_overlap, config.max_gold_overlap)
    row_format = RowFormat(config.prompt, config.prompt_mode, config.cot, config.window, False)
    specs = partial(recipes.closed_book, source, cot=config.cot)
    total, learned = _training_specs(source, config.max_items, config.seed, specs)
    _write(row_format, passages, learned, total, config.workers, out, overlap=shared)


@stage("dataset", VERSION)
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
    folder of stage `rerank`, with `retriever.rerank`.
    """
    source, collection = QuestionTargets(questions, None), split_passages(passages, questions)
    sample = test_sample(config, source)
    rankings = Rankings(reranked) if reranked else None
    choose, gold_recall = context_chooser(config, source, sample, collection, embedded, indexed, rankings), GoldRecall()
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
        choose = context_chooser(config, source, sample, collection, embedded, indexed, rankings)
        whole = (RowSpec(question, choose(question), None) for question in sampled(source, config.split, sample))
        place = (size_setting(config), config.names.condition)
        window_check.refuse(window_check.longest(row_format, passages, whole, *place), config.window.max_length)
        watch = _both(partial(window_check.watch, place=place, max_length=config.window.max_length), watch)
    _write(
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


def test_sample(config: TestStage, source: QuestionTargets) -> HashSample:
    """Returns the ids of the test questions. Raises DataError if the corpus has no such questions."""
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
) -> recipes.ContextChooser:
    """Returns the function that chooses the context of each test question in the sample.

    `rankings`: the reranked passages of retrieved contexts, with `retriever.rerank`.
    """
    distractor_filter = DistractorFilter(collection, config.same_document, answer_allowed=not config.without_gold)
    rankers = Rankers(distractor_filter, config.seed, embedded, indexed=indexed)
    coming = partial(sampled, source, config.split, sample)
    if config.context == "given":
        choose = recipes.published(collection)
        choose = recipes.without_gold(collection, choose) if config.without_gold else choose
        return recipes.gold_at(config.gold_at, collection, choose)
    if config.context == "retrieved" and rankings:
        return recipes.retrieved(rankings.ranked, config.retriever.k)
    if config.context == "retrieved":
        rank = rankers.ranker(config.retriever.name, None, np.arange(len(collection)), coming)
        return recipes.retrieved(rank, config.retriever.k)
    pool = pools.pool(pools.document_splits(collection, source.all_questions()), config.split)
    rank = rankers.ranker(config.distractors, config.mixed, pool, coming)
    supply = DistractorSupply(
        rankers.distractor_filter,
        rank,
        len(pool),
        config.num_distractors,
        config.seed,
        in_place_of_gold=lambda question: len(question.gold) if config.without_gold else 0,
        questions=coming,
        allow_fewer=config.allow_fewer or config.distractors == "given",
        names=config.names,
    )
    chooser = recipes.distractors_alone if config.without_gold else recipes.gold_and_distractors
    choose = chooser(supply, config.seed)
    return recipes.gold_at(config.gold_at, collection, choose)


def test_row_format(config: TestStage) -> RowFormat:
    """Returns the settings by which the test rows are rendered."""
    rendered = (config.prompt, config.prompt_mode, True, config.window, True, config.other_prompts)
    return RowFormat(*rendered, measure_cut=not config.allow_cut)


def size_setting(config: TestStage) -> str:
    """Returns the setting that decides the number of passages, with its value, for messages."""
    place = f"evaluation.conditions.{config.names.condition}" if config.names.condition else "evaluation"
    if config.context == "retrieved":
        return f"{place}.k={config.retriever.k}"
    if config.context == "given":
        return f"{place}.context=given"
    return f"{config.names.num_distractors}={config.num_distractors}"


def _both(first: Watch, second: Watch) -> Watch:
    return lambda rendered: second(first(rendered))


def sampled(source: QuestionTargets, split: str, sample: HashSample) -> Iterator[Question]:
    """Yields the questions of the sample, in the order of the rows."""
    return (question for question in source.of(split) if question.id in sample)


def _check_reasons(targets: Path, setting: str, remedy: str) -> None:
    """Raises DataError if no target has reasoning. `setting`: what requires it; `remedy`: how to do without it."""
    if not any(target.reason for target in read_jsonl(targets / "targets.jsonl", Target)):
        raise DataError(f"{setting}, but the teacher wrote no reasoning; use teacher=extractive or {remedy}")


def _training_specs(
    source: QuestionTargets, max_items: int | None, seed: int, specs: Callable[[str, HashSample], Iterator[RowSpec]]
) -> tuple[int, Iterator[RowSpec]]:
    """Returns (number of rows, row specs): at most `max_items` training questions, then all validation questions."""
    samples = {"train": source.sample("train", max_items, seed), "validation": source.sample("validation", None, seed)}
    samples = {split: sample for split, sample in samples.items() if sample}
    rows_in_order = chain.from_iterable(specs(split, sample) for split, sample in samples.items())
    return sum(map(len, samples.values())), rows_in_order


def check_overlap(
    source: QuestionTargets, passages: Passages, allowed: bool, most_gold: float | None
) -> dict[str, OverlapCounts]:
    """Counts how much of the held-out data is also in the training data; returns the entry `overlap` of audit.json.

    Raises DataError if a held-out question is in the training data, or if more than the share `most_gold` (None: the
    default) of a held-out split's questions are there in nearly the same words, or share gold passages with training
    questions. With `allowed`, raises no error.
    """
    most_gold = overlap.most_gold_overlap(source.questions, most_gold)
    return overlap.check(overlap.overlaps(source.all_questions, passages), allowed, most_gold)


def _write(
    row_format: RowFormat,
    passages: Path,
    specs: Iterable[RowSpec],
    total: int,
    workers: int,
    out: Path,
    watch: Watch = iter,
    **more: object,
) -> None:
    """Renders the rows and writes them one by one.

    `watch`: a function that passes the rows on and may count them. `more`: further entries of audit.json; a function in
    it is called at the end, when all rows are counted.
    """
    audit = Audit()
    rendered = audit.watch(watch(rows.render_rows(row_format, passages, specs, workers)))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(rendered, "writing rows", total)))
    more = {name: value() if callable(value) else value for name, value in more.items()}
    figures: dict[str, Any] = {"splits": audit.figures(), **more, "max_length": row_format.window.max_length}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    counts = {"rows": audit.rows, "with_gold": audit.with_gold}
    if fewer := sum(figures.get("fewer_distractors", {}).values()):
        counts["with_fewer_distractors"] = fewer  # the terminal shows it beside the stage
    (out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
