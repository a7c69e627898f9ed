"""A page of Google's data: a Wikipedia page as tokens, with annotations (Kwiatkowski et al. 2019).

The long answer is the gold passage. The page's other top-level candidates are its distractors. A nested candidate
repeats text of the candidate around it. It is never a distractor, but it may be the gold passage.
"""

from collections import Counter
from dataclasses import dataclass

from raft_exp.corpora.natural_questions.words import join


@dataclass(frozen=True)
class Span:
    """The tokens from `start` to `end` (exclusive)."""

    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether the spans have a token in common."""
        return self.start < other.end and other.start < self.end

    def holds(self, other: "Span") -> bool:
        """Whether the other span lies inside this one."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Tokens:
    """The tokens of a page. `tags`: for each token, whether it is an HTML tag."""

    words: list[str]
    tags: list[bool]

    def plain(self, span: Span) -> list[str]:
        """Returns the words of a span, without tags and empty tokens."""
        inside = slice(span.start, span.end)
        return [word for word, tag in zip(self.words[inside], self.tags[inside], strict=True) if word and not tag]

    def text(self, span: Span) -> str:
        """Returns the words of a span, joined to a text."""
        return join(self.plain(span))[0]

    def offset(self, outer: Span, inner: Span) -> int:
        """Returns the offset in characters of the text of `inner` in the text of `outer`."""
        before = len(self.plain(Span(outer.start, inner.start)))
        return join(self.plain(outer))[1][before]

    def is_paragraph(self, span: Span) -> bool:
        """Whether a span is a paragraph, rather than a table or list."""
        return self.words[span.start] == "<P>"


@dataclass(frozen=True)
class Annotation:
    """The choices of one annotator."""

    long: Span | None
    shorts: list[Span]
    yes_no: str  # the answer if it is yes or no, else ""


@dataclass(frozen=True)
class Page:
    """A question with a Wikipedia page: one record of the data set.

    A record of the training set has one annotation; a record of the development set has five.
    """

    id: str
    question: str
    title: str
    tokens: Tokens
    candidates: list[Span]  # the top-level candidates, in the page's order
    annotations: list[Annotation]

    @property
    def gold(self) -> Span | None:
        """The long answer with the most votes, or None. If there are several annotators, at least two must agree."""
        votes = Counter(annotation.long for annotation in self.annotations if annotation.long)
        best = votes.most_common(1)
        return best[0][0] if best and best[0][1] >= min(2, len(self.annotations)) else None

    @property
    def answers(self) -> list[str]:
        """All short answers; if there are none, the more frequent of yes and no; [] if there is no answer."""
        texts = dict.fromkeys(text for span in self._shorts if (text := self.tokens.text(span)))
        votes = Counter(annotation.yes_no for annotation in self.annotations if annotation.yes_no)
        return list(texts) or [word for word, _ in votes.most_common(1)]

    @property
    def passages(self) -> list[Span]:
        """The gold span and the candidates that share no token with it, in page order; [] without gold."""
        if not (gold := self.gold):
            return []
        return sorted(
            [gold, *(span for span in self.candidates if not span.overlaps(gold))], key=lambda span: span.start
        )

    @property
    def answer_at(self) -> int | None:
        """The offset of the first short answer in the gold text; None if the text contains no short answer."""
        if not (gold := self.gold):
            return None
        inside = (span for span in self._shorts if gold.holds(span) and self.tokens.plain(span))
        return next((self.tokens.offset(gold, span) for span in inside), None)

    @property
    def _shorts(self) -> list[Span]:
        return [span for annotation in self.annotations for span in annotation.shorts]
