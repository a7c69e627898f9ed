"""Stage `dataset`: the training rows of a recipe, and the test rows that all arms answer.

Recipes are in `recipes.py`, the choice of passages in `contexts.py`, the writing of a row in `rows.py`, the figures in
`audit.py`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from raft_exp import retrieval
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Question, Target, read_jsonl, write_jsonl
from raft_exp.core.sampling import HashSample
from raft_exp.core.schema import Count, Positive, Runtime, Seed, Share, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.dataset import contexts, recipes, rows
from raft_exp.dataset.audit import Audit, overlap
from raft_exp.dataset.context_stats import GoldRecall, ShortContextCounter
from raft_exp.dataset.recipes import QuestionTargets, RaftRecipe
from raft_exp.dataset.retrieval_quality import RetrievalQuality
from raft_exp.dataset.rows import RowFormat, RowSpec, Window
from raft_exp.prompts import PromptConfig, PromptMode
from raft_exp.retrieval import Distractors, Margin, Rankers, RetrieverConfig, Shares
from raft_exp.retrieval.filters import DistractorFilter

VERSION = 3


@config_dataclass
class DatasetConfig:
    """How a RAFT training set is made (DESIGN section 6)."""

    p: Share  # share of rows whose context holds the gold
    num_distractors: Count  # D
    distractors: Distractors  # where distractors come from
    mixed: Shares | None  # with distractors=mixed: the share of each source
    max_score: float | None  # bm25 and dense: a distractor is at most so similar to the question
    relative_margin: Share | None  # ... and by this share less similar than the best gold passage
    prompt_mode: PromptMode  # the user message is one document of this kind
    cot: bool  # targets reason before they answer
    constant_size: bool  # rows without gold get as many passages as they would have with it
    no_gold_target: Literal["answer", "answer_only", "refuse"]  # what a row without gold learns to say
    partial_gold: bool  # rows without gold keep a part of it, where a question has several gold passages
    same_document: bool  # may a distractor come from the gold document?
    allow_answer_in_distractor: bool  # may a training distractor hold the (open) answer?
    allow_fewer: bool  # go on with fewer distractors when there are not enough
    allow_overlap: bool  # go on when a test question is found in the training data
    max_items: Positive | None  # at most so many training rows; smaller sets are part of larger ones
    path: Runtime[str | None]  # a ready chat file to train on instead; its content stands in the key
    workers: Runtime[Count]  # processes that render rows

    @model_validator(mode="after")
    def _sources_are_whole(self) -> "DatasetConfig":
        margin = {"max_score": self.max_score, "relative_margin": self.relative_margin}
        retrieval.check_shares("dataset", self.distractors, self.mixed)
        retrieval.check_margin("dataset", self.distractors, self.mixed, margin)
        return self


@config_dataclass
class RaftStage:
    """Settings that change a raft training set."""

    dataset: DatasetConfig
    prompt: PromptConfig
    window: Window
    seed: Seed


@config_dataclass
class ClosedBookStage:
    """Settings that change a closed-book training set: nothing about passages is among them."""

    prompt: PromptConfig
    prompt_mode: str
    max_items: Positive | None
    allow_overlap: bool
    window: Window
    seed: Seed
    workers: Runtime[Count]


@config_dataclass
class TestStage:
    """Settings that change the test rows."""

    split: Literal["test", "validation"]
    context: Literal["gold_and_distractors", "retrieved", "given"]
    num_distractors: Count
    distractors: Distractors
    mixed: Shares | None
    same_document: bool
    allow_fewer: bool
    retriever: RetrieverConfig
    gold_at: Count | None
    without_gold: bool
    max_items: Positive | None
    prompt: PromptConfig
    prompt_mode: str
    window: Window
    seed: Seed
    workers: Runtime[Count]


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
) -> None:
    """Writes rows.jsonl and audit.json of the raft recipe: training rows, then validation rows.

    `embedded` and `indexed` hold the results of the embed and index stages, where distractors are dense or bm25.
    """
    how, source, collection = config.dataset, QuestionTargets(questions, targets), Passages(passages)
    shared = _checked_overlap(source, how.allow_overlap)
    if how.cot and not any(target.reason for target in read_jsonl(targets / "targets.jsonl", Target)):
        raise DataError(
            "dataset.cot=true, but the teacher wrote no reasoning; use teacher=extractive or dataset.cot=false"
        )
    guards = DistractorFilter(collection, how.same_document, how.allow_answer_in_distractor)
    recipe = RaftRecipe(
        how.p,
        how.num_distractors,
        how.constant_size,
        how.partial_gold,
        how.no_gold_target,
        config.prompt.refusal,
        how.allow_fewer or how.distractors == "given",
        config.seed,
    )
    sources = Rankers(guards, config.seed, embedded, Margin(how.max_score, how.relative_margin), indexed)
    owners = contexts.document_splits(collection, source.everything())
    fewer = ShortContextCounter(collection, how.num_distractors, how.constant_size)

    def jobs(split: str, kept: HashSample) -> Iterator[RowSpec]:
        pool = contexts.pool(owners, split)
        rank = sources.ranker(how.distractors, how.mixed, pool, partial(_asked, source, split, kept))
        return fewer.watch(recipe.jobs(source, split, kept, guards, rank, len(pool)))

    rendering = RowFormat(config.prompt, how.prompt_mode, how.cot, config.window, False)
    total, learned = _learned(source, how.max_items, config.seed, jobs)
    _write(
        rendering,
        passages,
        learned,
        total,
        how.workers,
        out,
        overlap=shared,
        passed_over=guards.passed_over,
        fewer_distractors=fewer.rows,
    )


@stage("dataset", VERSION)
def closed_book(config: ClosedBookStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of the closed-book recipe: the same questions, the answer alone."""
    source = QuestionTargets(questions, targets)
    shared = _checked_overlap(source, config.allow_overlap)
    rendering = RowFormat(config.prompt, config.prompt_mode, False, config.window, False)
    total, learned = _learned(source, config.max_items, config.seed, partial(recipes.closed_book, source))
    _write(rendering, passages, learned, total, config.workers, out, overlap=shared)


@stage("dataset", VERSION)
def test_set(
    config: TestStage,
    *,
    passages: Path,
    questions: Path,
    out: Path,
    embedded: Mapping[str, Path] | None = None,  # noqa: PT028
    indexed: Path | None = None,  # noqa: PT028
) -> None:
    """Writes rows.jsonl and audit.json of what all arms answer: one context a question, the same for every arm.

    Of contexts that were retrieved the audit says how good the retriever is (`raft_exp.dataset.retrieval_quality`).
    """
    source, collection = QuestionTargets(questions, None), Passages(passages)
    kept = source.kept(config.split, config.max_items, config.seed)
    if not kept:
        raise DataError(
            f"evaluation.split={config.split!r} has no questions; set corpus.validation, or use the test split"
        )
    guards = DistractorFilter(collection, config.same_document, answer_allowed=not config.without_gold)
    sources = Rankers(guards, config.seed, embedded, indexed=indexed)
    find, found = _find(config, source, kept, sources), GoldRecall(collection)
    chosen = config.num_distractors if config.context == "gold_and_distractors" else 0
    fewer = ShortContextCounter(collection, chosen, bool(chosen) and config.without_gold)
    asked = _asked(source, config.split, kept)
    jobs = fewer.watch(found.watch(RowSpec(question, find(question), None) for question in asked))
    quality = RetrievalQuality(collection, config.retriever.name, config.retriever.k)
    told = {"retrieval": quality.figures} if config.context == "retrieved" else {}
    jobs = quality.watch(jobs) if told else jobs
    rendering = RowFormat(config.prompt, config.prompt_mode, True, config.window, True)
    _write(
        rendering,
        passages,
        jobs,
        len(kept),
        config.workers,
        out,
        context=config.context,
        gold_found=found.figures,
        fewer_distractors=fewer.rows,
        **told,
    )


def _find(config: TestStage, source: QuestionTargets, kept: HashSample, sources: Rankers) -> recipes.Find:
    collection, asked = sources.guards.passages, partial(_asked, source, config.split, kept)
    if config.context == "given":
        find = recipes.published(collection)
        find = recipes.without_gold(collection, find) if config.without_gold else find
        return recipes.gold_at(config.gold_at, collection, find)
    if config.context == "retrieved":
        rank = sources.ranker(config.retriever.name, None, np.arange(len(collection)), asked)
        return recipes.retrieved(rank, config.retriever.k)
    pool = contexts.pool(contexts.document_splits(collection, source.everything()), config.split)
    rank = sources.ranker(config.distractors, config.mixed, pool, asked)
    fewer = config.allow_fewer or config.distractors == "given"
    choose = recipes.distractors_alone if config.without_gold else recipes.gold_and_distractors
    find = choose(sources.guards, rank, len(pool), config.num_distractors, fewer, config.seed)
    return recipes.gold_at(config.gold_at, collection, find)


def _asked(source: QuestionTargets, split: str, kept: HashSample) -> Iterator[Question]:
    """The questions that get a row, in the order of the rows."""
    return (question for question in source.of(split) if question.id in kept)


def _learned(
    source: QuestionTargets, max_items: int | None, seed: int, jobs: Callable[[str, HashSample], Iterator[RowSpec]]
) -> tuple[int, Iterator[RowSpec]]:
    """How many jobs there are, and the jobs: of the training questions that take part, then of all validation ones."""
    kept = {"train": source.kept("train", max_items, seed), "validation": source.kept("validation", None, seed)}
    taken = {split: chosen for split, chosen in kept.items() if chosen}
    return sum(map(len, taken.values())), chain.from_iterable(jobs(split, chosen) for split, chosen in taken.items())


def _checked_overlap(source: QuestionTargets, allowed: bool) -> dict[str, dict[str, int]]:
    figures = overlap(source.everything())
    for split, shared in figures.items():
        if shared["questions"] and not allowed:
            raise DataError(
                f"{shared['questions']} {split} questions stand in the training data too; remove them there, "
                "or set dataset.allow_overlap=true to go on in spite of the leak"
            )
    return figures


def _write(
    rendering: RowFormat, passages: Path, jobs: Iterator[RowSpec], total: int, workers: int, out: Path, **more: Any
) -> None:
    """Renders and writes the rows as they come; `more` goes into the audit, functions called at the end."""
    audit = Audit()
    finished = audit.watch(rows.render_rows(rendering, passages, jobs, workers))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(finished, "writing rows", total)))
    told = {name: value() if callable(value) else value for name, value in more.items()}
    figures = {"splits": audit.figures(), **told}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows, "with_gold": audit.with_gold}))
