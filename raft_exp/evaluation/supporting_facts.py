"""Supporting facts of HotpotQA: the sentences that a reply quotes, and the sentences that the data set names.

A fact is a pair (title of the paragraph, sentence number from 0), as in the official script. Paragraphs with the same
title count as one paragraph, even if they were published with different questions.
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
    """Looks up the supporting facts of test and validation questions, and finds the facts that a reply quotes.

    `passages` and `questions` are the folders of the ingest and questions stages.
    """

    def __init__(self, passages: Path, questions: Path) -> None:
        self._collection = Passages(passages)
        held_out = (q for q in read_jsonl(questions / "questions.jsonl", Question) if q.split != "train")
        self._named = {question.id: self._titled(question) for question in held_out}

    def named(self, question_id: str) -> Facts:
        """Returns the facts that the data set names for a question. Raises KeyError for a training question."""
        return self._named[question_id]

    def quoted(
        self, texts: Iterable[str], context: Sequence[ContextPassage], min_words: int = quotes.MIN_WORDS
    ) -> Facts:
        """Returns the facts of those sentences of the context that overlap a verbatim quote.

        `texts`: the quotes of a reply. `min_words`: a quote of fewer words does not count as verbatim.
        """
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
        """Returns the question's facts. Evidence names a gold passage by its id, and any other passage by its title."""
        titles = {name: self._passage(name).title for name in question.gold}
        return frozenset((titles.get(name, name), number) for name, number in question.evidence)

    def _passage(self, name: str) -> Passage:
        return self._collection[self._collection.find(name)]


def _touched(span: quotes.Span, sentences: Sequence[str]) -> Iterator[int]:
    """Yields the numbers of the sentences, other than white space, that overlap a span of the passage's text."""
    ends = list(accumulate(map(len, sentences)))
    first, last = bisect_right(ends, span[0]), bisect_right(ends, span[1] - 1)
    yield from (number for number in range(first, last + 1) if sentences[number].strip())
