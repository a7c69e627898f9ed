"""Finds questions word for word inside texts, in time that does not grow with the number of questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from raft_exp.core.records import Question
from raft_exp.core.text import normalise

_HEAD = 4  # first words of a question, the key of the look-up
_SHORTEST = 3  # words; shorter questions occur in many texts by chance and are not looked for


class QuestionFinder:
    """An index of questions by their first words. Case, punctuation and white space are ignored."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self._heads: dict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        for question in questions:
            words = normalise(question.question).split()
            if len(words) >= _SHORTEST:
                self._heads[tuple(words[:_HEAD])].append((words, question.id))
        self._sizes = sorted({len(head) for head in self._heads})

    def within(self, text: str) -> Iterator[str]:
        """Ids of the questions that occur in the text, once for each occurrence."""
        words = normalise(text).split()
        for start in range(len(words)):
            for size in self._sizes:
                for question, question_id in self._heads.get(tuple(words[start : start + size]), ()):
                    if words[start : start + len(question)] == question:
                        yield question_id
