"""Decides whether the references of test questions are too long for metrics that compare whole answers."""

from collections.abc import Iterable, Sequence
from statistics import median

from raft_exp.core.words import count

MOST = 10  # largest median length of references, in words, for which exact match is a suitable metric
# Metrics that are 0 unless a reply has all words of a reference in their order.
WHOLE = ("exact_match", "exact_match_lenient", "answer_in_reply", "best_subspan_em")


def typical_words(references: Iterable[Sequence[str]]) -> float:
    """Returns the median length of the shortest references, in words; 0 without questions.

    `references`: the reference answers of each question. Only the shortest reference of a question counts.
    """
    return median([min(map(count, answers)) for answers in references if answers] or [0])


def are_long(words: float) -> bool:
    """Returns whether references with a median length of `words` words are too long for exact match."""
    return words > MOST


def remark(metric: str, words: float, judged: bool) -> str:
    """Returns a one-line warning with a remedy; "" if the metric suits the references.

    `metric`: the primary metric. `words`: median length of the references, in words. `judged`: whether the study has a
    judge.
    """
    if metric not in WHOLE or not are_long(words):
        return ""
    judge = ", or read the judge's figures" if judged else ", or use a judge (evaluation.judge=openai)"
    return (
        f"The answers of the test questions have {words:,.0f} words in the median. {metric} does not suit such "
        "answers: it counts a reply with one other word as wrong. Set evaluation.primary.metric=rouge_l or "
        f"evaluation.primary.metric=f1{judge}."
    )
