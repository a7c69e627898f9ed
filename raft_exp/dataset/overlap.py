"""Overlap of the training data with the held-out splits, by text: questions, answers, gold passages."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raft_exp.core.audit import OverlapCounts
from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import DataError
from raft_exp.corpora import split_units
from raft_exp.dataset.gold_overlap import gold_links
from raft_exp.dataset.question_leaks import question_leaks
from raft_exp.dataset.recipes import QuestionTargets
from raft_exp.dataset.training_index import ComparedQuestion, Questions, TrainingIndex

MOST_GOLD_OVERLAP = 0.02  # of the held-out questions, where dataset.max_gold_overlap has no value


@dataclass(frozen=True)
class Overlap:
    """The overlap of one held-out split with training: counts and examples."""

    size: int  # number of questions of the split
    figures: OverlapCounts  # the entry of audit.json
    examples: dict[str, tuple[str, str]]  # figure -> (id of a held-out question, its place in the training data)


def overlaps(questions: Questions, passages: Passages) -> dict[str, Overlap]:
    """Returns {"test": overlap, "validation": overlap} of the held-out splits with the training split."""
    training = TrainingIndex(questions, passages)
    held_out = defaultdict[str, list[ComparedQuestion]](list)
    for question in questions():
        if question.split != "train":
            held_out[question.split].append(ComparedQuestion.of(question, passages))
    test, validation = held_out["test"], held_out["validation"]
    return {
        "test": _overlap(test, validation, training, passages),
        "validation": _overlap(validation, test, training, passages),
    }


def _overlap(
    held_out: list[ComparedQuestion], others: list[ComparedQuestion], training: TrainingIndex, passages: Passages
) -> Overlap:
    gold = sorted({ordinal for question in held_out for ordinal in question.gold})
    links = gold_links(passages, np.unique(training.gold.values).tolist(), gold)
    leaks = question_leaks(held_out, others, training, links)
    learned = {question.id: linked for question in held_out if (linked := links.linked(question.gold)) is not None}
    answers = np.array([hash64(form) for question in held_out for form in question.answers], dtype=np.uint64)
    figures: OverlapCounts = {
        "questions": len(leaks.same),
        "near_questions": len(leaks.near),
        "questions_of_other_documents": len(leaks.other_document),
        "answers": len(np.intersect1d(answers, training.answers.values)),
        "passages": len(links.identical),
        "near_passages": len(links.training.keys() - links.identical),
        "gold_overlap": len(learned),
        "boilerplate_passages": len(links.boilerplate),
    }
    by_figure = {"questions": leaks.same, "near_questions": leaks.near}
    examples = {figure: _first(pairs) for figure, pairs in by_figure.items() if pairs}
    for name, linked in list(learned.items())[:1]:
        (_, other), *_ = training.read(training.gold.rows(linked)[:1])
        examples["gold_overlap"] = name, f"training question {other.id!r}"
    return Overlap(len(held_out), figures, examples)


def _first(pairs: Mapping[str, str]) -> tuple[str, str]:
    name, learned = next(iter(pairs.items()))
    return name, f"training question {learned!r}"


def most_gold_overlap(questions: Path, most: float | None) -> float | None:
    """Returns the limit that applies to the questions in a folder. `most`: the value of dataset.max_gold_overlap.

    Splits that were drawn by question share gold passages: for them, None and the default value are replaced by 1.0,
    which allows any share. In all other cases the limit is `most`.
    """
    choice = split_units.read(questions)
    by_question = choice is not None and choice["by"] == "question" and choice["drawn"]
    return 1.0 if by_question and most in (None, MOST_GOLD_OVERLAP) else most


def check(found: Mapping[str, Overlap], allowed: bool, max_gold_overlap: float | None) -> dict[str, OverlapCounts]:
    """Returns the entry `overlap` of audit.json.

    Raises DataError if a held-out question is in the training data, or if more than the share `max_gold_overlap` (None:
    the default) of a split's questions are there in nearly the same words, or share gold passages with training
    questions. With `allowed`, raises no error.
    """
    most = MOST_GOLD_OVERLAP if max_gold_overlap is None else max_gold_overlap
    for split, overlap in () if allowed else found.items():
        figures, allow = overlap.figures, "or set dataset.allow_overlap=true to train despite the leak"
        if count := figures["questions"]:
            raise DataError(
                f"{count} {split} questions are also in the training data {_example(overlap, 'questions')}; "
                f"remove them from the training data, {allow}"
            )
        for figure, count, what in (
            ("near_questions", figures.get("near_questions", 0), "are in the training data in nearly the same words"),
            (
                "gold_overlap",
                figures.get("gold_overlap", 0),
                "share a gold passage, or a near copy of it, with training",
            ),
        ):
            if count > most * overlap.size:
                raise DataError(
                    f"{count} of {overlap.size} {split} questions {what} {_example(overlap, figure)}, and "
                    f"dataset.max_gold_overlap is {most:g}; remove them from the training data, "
                    f"raise dataset.max_gold_overlap, {allow}"
                )
    return {split: overlap.figures for split, overlap in found.items()}


def _example(overlap: Overlap, figure: str) -> str:
    held_out, learned = overlap.examples[figure]
    return f"(first: {held_out!r}, in {learned})"


def check_overlap(
    source: QuestionTargets, passages: Passages, allowed: bool, most_gold: float | None
) -> dict[str, OverlapCounts]:
    """Counts how much of the held-out data is also in the training data; returns the entry `overlap` of audit.json.

    Raises DataError if a held-out question is in the training data, or if more than the share `most_gold` (None: the
    default) of a held-out split's questions are there in nearly the same words, or share gold passages with training
    questions. With `allowed`, raises no error.
    """
    most_gold = most_gold_overlap(source.questions, most_gold)
    return check(overlaps(source.all_questions, passages), allowed, most_gold)
