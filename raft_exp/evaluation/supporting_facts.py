"""Supporting facts: the sentences that a reply quotes, beside those that the data set names (HotpotQA).

A fact is (title, sentence number), as in the official script: a paragraph that another question brought counts too.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.records import ContextPassage, Passage, Question, read_jsonl
from raft_exp.evaluation.metrics import Facts


class SupportingFacts:
    """Knows the sentences of the passages and the facts of the questions that are asked."""

    def __init__(self, passages: Path, questions: Path) -> None:
        self._collection = Passages(passages)
        asked = (q for q in read_jsonl(questions / "questions.jsonl", Question) if q.split != "train")
        self._named = {question.id: self._titled(question) for question in asked}

    def named(self, question_id: str) -> Facts:
        """What the data set names."""
        return self._named[question_id]

    def quoted(self, quotes: Iterable[str], context: Sequence[ContextPassage]) -> Facts:
        """The sentences that the quotes stand in, or run over, word for word in what was shown (white space aside)."""
        texts = [text for text in map(_one_spaced, quotes) if text]
        return frozenset(
            (whole.title, number)
            for passage in context
            for whole in [self._passage(passage.id)]
            for text in texts
            if text in _one_spaced(passage.text)
            for number in _touched(text, whole.sentences)
        )

    def _titled(self, question: Question) -> Facts:
        """The question's facts. Those of a passage that it does not bring have a title in place of an id already."""
        titles = {name: self._passage(name).title for name in question.gold}
        return frozenset((titles.get(name, name), number) for name, number in question.evidence)

    def _passage(self, name: str) -> Passage:
        return self._collection[self._collection.find(name)]


def _touched(text: str, sentences: Sequence[str]) -> Iterator[int]:
    """Numbers of the sentences that share a character with the text, wherever it stands in the passage."""
    passage = _one_spaced("".join(sentences))
    ends = [len(_one_spaced("".join(sentences[: number + 1]))) for number in range(len(sentences))]
    start = passage.find(text)
    while start >= 0:
        first, last = bisect_right(ends, start), bisect_right(ends, start + len(text) - 1)
        yield from (number for number in range(first, last + 1) if sentences[number].strip())
        start = passage.find(text, start + 1)


def _one_spaced(text: str) -> str:
    return " ".join(text.split())
