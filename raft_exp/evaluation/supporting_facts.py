"""Supporting facts of HotpotQA: the sentences that a reply quotes, and those that the data set names.

A fact is (title, sentence number), as in the official script. A paragraph of the same title counts whichever question
it was published with.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.records import ContextPassage, Passage, Question, read_jsonl
from raft_exp.evaluation.metrics import Facts
from raft_exp.prompts import quotes


class SupportingFacts:
    """Looks up the supporting facts of the test and validation questions, and the facts that quotes cover."""

    def __init__(self, passages: Path, questions: Path) -> None:
        self._collection = Passages(passages)
        held_out = (q for q in read_jsonl(questions / "questions.jsonl", Question) if q.split != "train")
        self._named = {question.id: self._titled(question) for question in held_out}

    def named(self, question_id: str) -> Facts:
        """The facts that the data set names for a question. Raises KeyError for a training question."""
        return self._named[question_id]

    def quoted(
        self, texts: Iterable[str], context: Sequence[ContextPassage], min_words: int = quotes.MIN_WORDS
    ) -> Facts:
        """The sentences of the context that share text with a verbatim quote."""
        said = list(texts)
        return frozenset(
            (whole.title, number)
            for passage in context
            for whole in [self._passage(passage.id)]
            for text in said
            if quotes.find(text, passage.text, passage.title, min_words)
            for spans in quotes.occurrences(text, "".join(whole.sentences), passage.title, min_words)
            for span in spans
            for number in _touched(span, whole.sentences)
        )

    def _titled(self, question: Question) -> Facts:
        """The question's facts by title. Evidence in a passage without an id already names the title."""
        titles = {name: self._passage(name).title for name in question.gold}
        return frozenset((titles.get(name, name), number) for name, number in question.evidence)

    def _passage(self, name: str) -> Passage:
        return self._collection[self._collection.find(name)]


def _touched(span: quotes.Span, sentences: Sequence[str]) -> Iterator[int]:
    """Numbers of the sentences that share a character, other than white space, with a span of the passage's text."""
    ends = list(accumulate(map(len, sentences)))
    first, last = bisect_right(ends, span[0]), bisect_right(ends, span[1] - 1)
    yield from (number for number in range(first, last + 1) if sentences[number].strip())
