"""Recall and precision of citations, from the claims that a judge finds in a reply (the judge's task `supported`).

The judge states the claims in its own words, so it is unknown which of the reply's quotes belong to a claim. Therefore
each claim counts as citing all passages that the reply quotes word for word.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from raft_exp.core.records import ContextPassage
from raft_exp.evaluation.citations.figures import figures_of, share
from raft_exp.evaluation.judge.rows import JudgedClaim
from raft_exp.evaluation.results import CitationFigures, Prediction
from raft_exp.prompts import quotes


@dataclass(frozen=True)
class JudgedCitations:
    """The claims that a judge finds in a reply, and the passages that the reply cites."""

    claims: Sequence[JudgedClaim]
    cited: Set[int]  # numbers of passages in the context, from 1

    @property
    def held(self) -> int:
        """The number of claims that a cited passage supports."""
        return sum(not self.cited.isdisjoint(claim["passages"]) for claim in self.claims)

    @property
    def needed(self) -> int:
        """The number of cited passages that support a claim."""
        return len(self.cited & {number for claim in self.claims for number in claim["passages"]})


def quoted_passages(row: Prediction, context: Sequence[ContextPassage]) -> set[int]:
    """Returns the numbers, from 1, of the passages that contain a verbatim quote of a reply."""
    return {
        number
        for quote in row["quotes"]
        if quote["verbatim"]
        for number, passage in enumerate(context, start=1)
        if quotes.find(quote["text"], passage.text, passage.title, min_words=1)  # a verbatim quote has enough words
    }


def judged_figures(replies: Iterable[JudgedCitations]) -> CitationFigures:
    """Returns recall and precision of citations. A figure without cases is left out.

    Recall: the share of claims that a cited passage supports. Precision: the share of cited passages that support a
    claim of the reply.
    """
    read = list(replies)
    recall = share([(reply.held, len(reply.claims)) for reply in read])
    return figures_of(recall, share([(reply.needed, len(reply.cited)) for reply in read]))
