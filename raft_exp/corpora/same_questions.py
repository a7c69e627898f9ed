"""Finds questions that are the same or nearly the same. Such questions leak if they are in different splits."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from raft_exp.core.collection import hash64
from raft_exp.core.records import Question
from raft_exp.core.shingles import units
from raft_exp.core.wording import answer_forms, answers_agree, open_forms, wording


@dataclass(frozen=True)
class _Asked:
    number: int
    words: tuple[str, ...]
    answers: frozenset[str]
    gold: frozenset[str]


def number_of(question: Question) -> int:
    """Returns the number of a question: a hash of its id."""
    return hash64(question.id)


def same_questions(questions: Iterable[Question], same_gold: bool) -> Iterator[set[int]]:
    """Yields sets of question numbers (`number_of`) that must share a split.

    Two questions are the same if they have

    - the same words, and a gold passage or an answer in common;
    - nearly the same words, and both an answer and a gold passage in common;
    - a few words more or less, and an answer in common that is not yes, no or maybe (`dataset/question_leaks.py`).

    `same_gold`: also yields, for each gold passage, the set of its questions.
    """
    by_words: dict[tuple[str, ...], list[_Asked]] = defaultdict(list)
    by_gold: dict[str, list[_Asked]] = defaultdict(list)
    by_answer: dict[str, list[_Asked]] = defaultdict(list)
    for question in questions:
        words, answers = tuple(units(question.question)), answer_forms(question.answers)
        asked = _Asked(number_of(question), words, answers, frozenset(question.gold))
        by_words[words].append(asked)
        for name in asked.gold:
            by_gold[name].append(asked)
        for form in open_forms(answers):
            by_answer[form].append(asked)
    for one, other in _pairs(by_words.values()):
        if one.gold & other.gold or answers_agree(one.answers, other.answers):
            yield {one.number, other.number}
    if same_gold:
        yield from ({asked.number for asked in group} for group in by_gold.values())
        by_gold.clear()
    for one, other in _pairs(by_gold.values()):
        if answers_agree(one.answers, other.answers) and wording(one.words, other.words) != "other":
            yield {one.number, other.number}
    for one, other in _pairs(by_answer.values()):
        if wording(one.words, other.words) == "longer":
            yield {one.number, other.number}


def _pairs(groups: Iterable[list[_Asked]]) -> Iterator[tuple[_Asked, _Asked]]:
    for group in groups:
        yield from combinations(group, 2)
