"""Stage `dataset`: the training rows of a recipe, and the test rows that all arms answer.

The choice of passages is `contexts.py`, the writing of a row `rows.py`, the figures `audit.py`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp import contexts, retrieval, rows
from raft_exp.audit import Audit, overlap
from raft_exp.contexts import Guards, Ranker
from raft_exp.errors import DataError
from raft_exp.passages import Passages
from raft_exp.progress import track
from raft_exp.prompts import PromptConfig
from raft_exp.records import Question, Target, read_jsonl, write_jsonl
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
    """Writes rows.jsonl and audit.json of the raft recipe: training and validation rows."""
    everything = _read(questions)
    shared = _checked_overlap(everything, config.dataset.allow_overlap)
    asked = _learned(everything, config.dataset.max_items, config.seed)
    chosen, passed_over = _choose(config, Passages(passages), everything, asked)
    written = {target.id: target for target in read_jsonl(targets / "targets.jsonl", Target)}
    if config.dataset.cot and not any(target.reason for target in written.values()):
        raise DataError(
            "dataset.cot=true, but the teacher wrote no reasoning; use teacher=extractive or dataset.cot=false"
        )
    jobs = [_raft_job(config, question, *chosen[question.id], written[question.id]) for question in asked]
    rendering = Rendering(config.prompt, config.dataset.prompt_mode, config.dataset.cot, config.window, False)
    _write(rendering, passages, jobs, config.dataset.workers, out, overlap=shared, passed_over=passed_over)


def closed_book(config: ClosedBookStage, *, passages: Path, questions: Path, targets: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of the closed-book recipe: the same questions, the answer alone."""
    everything = _read(questions)
    shared = _checked_overlap(everything, config.allow_overlap)
    written = {target.id: target for target in read_jsonl(targets / "targets.jsonl", Target)}
    asked = _learned(everything, config.max_items, config.seed)
    jobs = [Job(question, None, replace(written[question.id], reason="")) for question in asked]
    rendering = Rendering(config.prompt, config.prompt_mode, False, config.window, False)
    _write(rendering, passages, jobs, config.workers, out, overlap=shared)


def test_set(config: TestStage, *, passages: Path, questions: Path, out: Path) -> None:
    """Writes rows.jsonl and audit.json of what all arms answer: one context a question, the same for every arm."""
    collection, everything = Passages(passages), _read(questions)
    asked = _limited([q for q in everything if q.split == config.split], config.max_items, config.seed)
    if not asked:
        raise DataError(
            f"evaluation.split={config.split!r} has no questions; set corpus.validation, or use the test split"
        )
    find = _retrieved if config.context == "retrieved" else _gold_and_distractors
    jobs = [Job(question, context, None) for question, context in find(config, collection, everything, asked)]
    rendering = Rendering(config.prompt, config.prompt_mode, True, config.window, True)
    _write(
        rendering, passages, jobs, config.workers, out, context=config.context, gold_found=_gold_found(collection, jobs)
    )


def _choose(
    config: RaftStage, collection: Passages, everything: list[Question], asked: list[Question]
) -> tuple[dict[str, tuple[list[int], bool]], dict[str, int]]:
    """Question id -> (passage ordinals in prompt order, keeps its gold)."""
    how, owners = config.dataset, contexts.document_splits(collection, everything)
    guards = Guards(collection, how.same_document, how.allow_answer_in_distractor)
    chosen: dict[str, tuple[list[int], bool]] = {}
    for split in ("train", "validation"):
        of_split = [question for question in asked if question.split == split]
        if not of_split:
            continue
        with_gold = contexts.gold_rows((question.id for question in of_split), how.p, config.seed)
        pool = contexts.pool(owners, split)
        rank = _ranker(how.distractors, collection, pool, config.seed)
        fewer = how.allow_fewer or split == "validation"  # a small held-out set need not fill every place
        for question in track(of_split, f"choosing passages ({split})", len(of_split)):
            ordinals = _context(config, question, question.id in with_gold, guards, rank, len(pool), fewer)
            chosen[question.id] = ordinals, question.id in with_gold
    return chosen, dict(sorted(guards.passed_over.items()))


def _context(
    config: RaftStage, question: Question, keep_gold: bool, guards: Guards, rank: Ranker, pool_size: int, fewer: bool
) -> list[int]:
    gold = [guards.passages.find(passage_id) for passage_id in question.gold]
    fill = len(gold) if config.dataset.constant_size and not keep_gold else 0
    wanted = config.dataset.num_distractors + fill
    distractors = guards.distractors(question, rank(question), wanted)
    contexts.enough(question, distractors, wanted, pool_size, fewer)
    return contexts.shuffled([*gold, *distractors] if keep_gold else distractors, config.seed, question.id)


def _raft_job(config: RaftStage, question: Question, context: list[int], has_gold: bool, target: Target) -> Job:
    if has_gold or config.dataset.no_gold_target == "answer":
        return Job(question, context, target, grounded=has_gold)
    if config.dataset.no_gold_target == "answer_only":
        return Job(question, context, replace(target, reason=""))
    return Job(question, context, Target(question.id, config.prompt.refusal))


def _gold_and_distractors(
    config: TestStage, collection: Passages, everything: list[Question], asked: list[Question]
) -> Iterator[tuple[Question, list[int]]]:
    pool = contexts.pool(contexts.document_splits(collection, everything), config.split)
    rank = _ranker(config.distractors, collection, pool, config.seed)
    guards = Guards(collection, config.same_document, answer_allowed=True)
    for question in track(asked, "choosing test passages", len(asked)):
        distractors = guards.distractors(question, rank(question), config.num_distractors)
        contexts.enough(question, distractors, config.num_distractors, len(pool), config.allow_fewer)
        gold = [collection.find(passage_id) for passage_id in question.gold]
        yield question, contexts.shuffled([*gold, *distractors], config.seed, question.id)


def _retrieved(
    config: TestStage, collection: Passages, everything: list[Question], asked: list[Question]
) -> Iterator[tuple[Question, list[int]]]:
    del everything  # a retriever searches the whole collection, as it would in use
    rank = retrieval.bm25_ranker(collection, np.arange(len(collection)))
    for question in track(asked, "retrieving", len(asked)):
        found = rank(question)
        yield question, [ordinal for _, ordinal in zip(range(config.retriever.k), found, strict=False)]


def _ranker(name: Distractors, collection: Passages, pool: np.ndarray, seed: int) -> Ranker:
    if name == "random":
        return retrieval.random_ranker(pool, seed)
    return retrieval.bm25_ranker(collection, pool)


def _read(questions: Path) -> list[Question]:
    return list(read_jsonl(questions / "questions.jsonl", Question))


def _learned(everything: Sequence[Question], max_items: int | None, seed: int) -> list[Question]:
    train = _limited([question for question in everything if question.split == "train"], max_items, seed)
    return [*train, *(question for question in everything if question.split == "validation")]


def _limited(asked: list[Question], max_items: int | None, seed: int) -> list[Question]:
    """The `max_items` questions with the smallest hash, in their own order: smaller sets are part of larger ones."""
    if max_items is None or len(asked) <= max_items:
        return asked
    ranked = sorted(asked, key=lambda question: (contexts.number(seed, "items", question.id), question.id))
    kept = {question.id for question in ranked[:max_items]}
    return [question for question in asked if question.id in kept]


def _checked_overlap(everything: Sequence[Question], allowed: bool) -> dict[str, dict[str, int]]:
    figures = overlap(everything)
    for split, shared in figures.items():
        if shared["questions"] and not allowed:
            raise DataError(
                f"{shared['questions']} {split} questions stand in the training data too; remove them there, "
                "or set dataset.allow_overlap=true to go on in spite of the leak"
            )
    return figures


def _gold_found(collection: Passages, jobs: list[Job]) -> dict[str, float]:
    """How much of the gold the contexts hold: all of it (share of questions), and of all gold passages (recall)."""
    gold = [{collection.find(name) for name in job.question.gold} for job in jobs]
    found = [len(wanted & set(job.context or [])) for wanted, job in zip(gold, jobs, strict=True)]
    whole = sum(count == len(wanted) for count, wanted in zip(found, gold, strict=True))
    return {"all_gold": whole / len(jobs), "recall": sum(found) / max(1, sum(map(len, gold)))}


def _write(rendering: Rendering, passages: Path, jobs: list[Job], workers: int, out: Path, **more: object) -> None:
    """Renders and writes the rows as they come; `more` goes into the audit."""
    audit = Audit()
    finished = audit.watch(rows.build(rendering, passages, jobs, workers))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(finished, "writing rows", len(jobs))))
    figures = {"splits": audit.figures(), **more}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows, "with_gold": audit.with_gold}))
