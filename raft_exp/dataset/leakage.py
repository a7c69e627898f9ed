"""Finds questions word for word inside other texts, in time that does not grow with the number of questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from raft_exp.core.records import Question
from raft_exp.core.text import normalise

_HEAD = 4  # words by which a question is looked up
_SHORTEST = 3  # words; shorter questions stand in many texts by chance


class QuestionFinder:
    """Holds the questions; case, punctuation and white space make no difference."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self._heads: dict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        for question in questions:
            words = normalise(question.question).split()
            if len(words) >= _SHORTEST:
                self._heads[tuple(words[:_HEAD])].append((words, question.id))
        self._sizes = sorted({len(head) for head in self._heads})

    def within(self, text: str) -> Iterator[str]:
        """Ids of the questions that stand in the text."""
        words = normalise(text).split()
        for start in range(len(words)):
            for size in self._sizes:
                for asked, item in self._heads.get(tuple(words[start : start + size]), ()):
                    if words[start : start + len(asked)] == asked:
                        yield item
