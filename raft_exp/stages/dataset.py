"""Stage `dataset`: the training rows of a recipe, and the test rows that all arms answer.

Recipes are in `recipes.py`, the choice of passages in `contexts.py`, the writing of a row in `rows.py`, the figures in
`audit.py`.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from raft_exp import contexts, recipes, retrieval, rows
from raft_exp.audit import Audit, overlap
from raft_exp.contexts import Guards, Lowest, Ranker
from raft_exp.errors import DataError
from raft_exp.passages import Passages
from raft_exp.progress import track
from raft_exp.prompts import PromptConfig
from raft_exp.recipes import Found, Raft, Source
from raft_exp.records import Target, read_jsonl, write_jsonl
from raft_exp.retrieval import RetrieverConfig
from raft_exp.rows import Job, Rendering, Window
from raft_exp.schema import Count, Positive, Runtime, Seed, Share, config_dataclass

VERSION = 1

Distractors = Literal["random", "bm25"]


@config_dataclass
class DatasetConfig:
    """How a RAFT training set is made (DESIGN section 6)."""

    p: Share  # share of rows whose context holds the gold
    num_distractors: Count  # D
    distractors: Distractors  # where distractors come from
    prompt_mode: Literal["plain_text"]
    cot: bool  # targets reason before they answer
    constant_size: bool  # rows without gold get as many passages as they would have with it
    no_gold_target: Literal["answer", "answer_only", "refuse"]  # what a row without gold learns to say
    same_document: bool  # may a distractor come from the gold document?
    allow_answer_in_distractor: bool  # may a training distractor hold the (open) answer?
    allow_fewer: bool  # go on with fewer distractors when there are not enough
    allow_overlap: bool  # go on when a test question is found in the training data
    max_items: Positive | None  # at most so many training rows; smaller sets are part of larger ones
    workers: Runtime[Count]  # processes that render rows


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
    context: Literal["gold_and_distractors", "retrieved"]
    num_distractors: Count
    distractors: Distractors
    same_document: bool
    allow_fewer: bool
    retriever: RetrieverConfig
    max_items: Positive | None
    prompt: PromptConfig
    prompt_mode: str
    window: Window
    seed: Seed
    workers: Runtime[Count]


def raft(config: RaftStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of the raft recipe: training rows, then validation rows."""
    how, source, collection = config.dataset, Source(questions, targets), Passages(passages)
    shared = _checked_overlap(source, how.allow_overlap)
    if how.cot and not any(target.reason for target in read_jsonl(targets / "targets.jsonl", Target)):
        raise DataError(
            "dataset.cot=true, but the teacher wrote no reasoning; use teacher=extractive or dataset.cot=false"
        )
    guards = Guards(collection, how.same_document, how.allow_answer_in_distractor)
    recipe = Raft(
        how.p, how.num_distractors, how.constant_size, how.no_gold_target, config.prompt.refusal, how.allow_fewer,
        config.seed,
    )  # fmt: skip
    owners = contexts.document_splits(collection, source.everything())

    def jobs(split: str, kept: Lowest) -> Iterator[Job]:
        pool = contexts.pool(owners, split)
        return recipe.jobs(
            source, split, kept, guards, _ranker(how.distractors, collection, pool, config.seed), len(pool)
        )

    rendering = Rendering(config.prompt, how.prompt_mode, how.cot, config.window, False)
    total, learned = _learned(source, how.max_items, config.seed, jobs)
    _write(rendering, passages, learned, total, how.workers, out, overlap=shared, passed_over=guards.passed_over)


def closed_book(config: ClosedBookStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of the closed-book recipe: the same questions, the answer alone."""
    source = Source(questions, targets)
    shared = _checked_overlap(source, config.allow_overlap)
    rendering = Rendering(config.prompt, config.prompt_mode, False, config.window, False)
    total, learned = _learned(source, config.max_items, config.seed, partial(recipes.closed_book, source))
    _write(rendering, passages, learned, total, config.workers, out, overlap=shared)


def test_set(config: TestStage, *, passages: Path, questions: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of what all arms answer: one context a question, the same for every arm."""
    source, collection = Source(questions, None), Passages(passages)
    kept = source.kept(config.split, config.max_items, config.seed)
    if not kept:
        raise DataError(
            f"evaluation.split={config.split!r} has no questions; set corpus.validation, or use the test split"
        )
    find, found = _find(config, source, collection), Found(collection)
    jobs = found.watch(
        Job(question, find(question), None) for question in source.of(config.split) if question.id in kept
    )
    rendering = Rendering(config.prompt, config.prompt_mode, True, config.window, True)
    _write(rendering, passages, jobs, len(kept), config.workers, out, context=config.context, gold_found=found.figures)


def _find(config: TestStage, source: Source, collection: Passages) -> recipes.Find:
    if config.context == "retrieved":
        return recipes.retrieved(collection, config.retriever.k)
    pool = contexts.pool(contexts.document_splits(collection, source.everything()), config.split)
    guards = Guards(collection, config.same_document, answer_allowed=True)
    rank = _ranker(config.distractors, collection, pool, config.seed)
    return recipes.gold_and_distractors(
        guards, rank, len(pool), config.num_distractors, config.allow_fewer, config.seed
    )


def _ranker(name: Distractors, collection: Passages, pool: np.ndarray, seed: int) -> Ranker:
    if name == "random":
        return retrieval.random_ranker(pool, seed)
    return retrieval.bm25_ranker(collection, pool)


def _learned(
    source: Source, max_items: int | None, seed: int, jobs: Callable[[str, Lowest], Iterator[Job]]
) -> tuple[int, Iterator[Job]]:
    """How many jobs there are, and the jobs: of the training questions that take part, then of all validation ones."""
    kept = {"train": source.kept("train", max_items, seed), "validation": source.kept("validation", None, seed)}
    taken = {split: chosen for split, chosen in kept.items() if chosen}
    return sum(map(len, taken.values())), chain.from_iterable(jobs(split, chosen) for split, chosen in taken.items())


def _checked_overlap(source: Source, allowed: bool) -> dict[str, dict[str, int]]:
    figures = overlap(source.everything())
    for split, shared in figures.items():
        if shared["questions"] and not allowed:
            raise DataError(
                f"{shared['questions']} {split} questions stand in the training data too; remove them there, "
                "or set dataset.allow_overlap=true to go on in spite of the leak"
            )
    return figures


def _write(
    rendering: Rendering, passages: Path, jobs: Iterator[Job], total: int, workers: int, out: Path, **more: Any
) -> None:
    """Renders and writes the rows as they come; `more` goes into the audit, functions called at the end."""
    audit = Audit()
    finished = audit.watch(rows.build(rendering, passages, jobs, workers))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(finished, "writing rows", total)))
    told = {name: value() if callable(value) else value for name, value in more.items()}
    figures = {"splits": audit.figures(), **told}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows, "with_gold": audit.with_gold}))
