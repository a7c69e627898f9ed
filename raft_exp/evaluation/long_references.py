"""Tells whether the references of test questions are too long for metrics that compare whole answers."""

from collections.abc import Iterable, Sequence
from statistics import median

from raft_exp.core.words import count

MOST = 10  # words of a reference, in the median, that exact match suits
# Metrics that are 0 unless a reply has all words of a reference in their order.
WHOLE = ("exact_match", "exact_match_lenient", "answer_in_reply", "best_subspan_em")


def typical_words(references: Iterable[Sequence[str]]) -> float:
    """Returns the median of the words of the shortest reference of each question; 0 without questions.

    `references`: the reference answers of each question.
    """
    return median([min(map(count, answers)) for answers in references if answers] or [0])


def are_long(words: float) -> bool:
    """Returns whether exact match does not suit references of so many words, in the median."""
    return words > MOST


def remark(metric: str, words: float, judged: bool) -> str:
    """Returns one line that names the problem and what helps; "" if the metric suits the references.

    `metric`: the primary metric. `words`: of the references, in the median. `judged`: whether the study has a judge.
    """
    if metric not in WHOLE or not are_long(words):
        return ""
    judge = ", or read the judge's figures" if judged else ", or use a judge (evaluation.judge=openai)"
    return (
        f"The answers of the test questions have {words:,.0f} words in the median. {metric} does not suit such "
        "answers: it counts a reply with one other word as wrong. Set evaluation.primary.metric=rouge_l or "
        f"evaluation.primary.metric=f1{judge}."
    )
