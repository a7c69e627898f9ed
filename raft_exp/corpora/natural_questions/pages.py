"""A page of Google's data: Wikipedia as tokens, with what annotators chose (Kwiatkowski et al. 2019).

The long answer is the gold passage; the page's other top-level candidates are its distractors. Nested candidates repeat
the text of those that hold them, so they are gold or nothing.
"""

from collections import Counter
from dataclasses import dataclass

from raft_exp.corpora.natural_questions.words import join


@dataclass(frozen=True)
class Span:
    """Tokens from `start` up to `end`."""

    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether they share a token."""
        return self.start < other.end and other.start < self.end

    def holds(self, other: "Span") -> bool:
        """Whether the other lies inside."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Tokens:
    """A page's tokens, and which of them are tags."""

    words: list[str]
    tags: list[bool]

    def plain(self, span: Span) -> list[str]:
        """The span's words without tags."""
        inside = slice(span.start, span.end)
        return [word for word, tag in zip(self.words[inside], self.tags[inside], strict=True) if word and not tag]

    def text(self, span: Span) -> str:
        """The span's words as text."""
        return join(self.plain(span))[0]

    def offset(self, outer: Span, inner: Span) -> int:
        """Where in the text of `outer` that of `inner` begins."""
        before = len(self.plain(Span(outer.start, inner.start)))
        return join(self.plain(outer))[1][before]

    def is_paragraph(self, span: Span) -> bool:
        """Whether it is neither table nor list."""
        return self.words[span.start] == "<P>"


@dataclass(frozen=True)
class Annotation:
    """What one annotator chose; `said` is yes or no where that is the answer, "" elsewhere."""

    long: Span | None
    shorts: list[Span]
    said: str


@dataclass(frozen=True)
class Page:
    """One record. Training records have one annotation, those of the development set five."""

    id: str
    question: str
    title: str
    tokens: Tokens
    candidates: list[Span]  # top-level ones, in the page's order
    annotations: list[Annotation]

    @property
    def gold(self) -> Span | None:
        """The long answer that most annotators chose; of several annotators two must agree."""
        votes = Counter(each.long for each in self.annotations if each.long)
        best = votes.most_common(1)
        return best[0][0] if best and best[0][1] >= min(2, len(self.annotations)) else None

    @property
    def answers(self) -> list[str]:
        """All short answers, or where there is none the yes or no that most annotators gave."""
        texts = dict.fromkeys(text for span in self._shorts if (text := self.tokens.text(span)))
        said = Counter(each.said for each in self.annotations if each.said)
        return list(texts) or [word for word, _ in said.most_common(1)]

    @property
    def passages(self) -> list[Span]:
        """The gold, and the candidates that share no token with it, in the page's order."""
        if not (gold := self.gold):
            return []
        return sorted(
            [gold, *(span for span in self.candidates if not span.overlaps(gold))], key=lambda span: span.start
        )

    @property
    def answer_at(self) -> int | None:
        """Where in the gold text the first short answer begins."""
        if not (gold := self.gold):
            return None
        inside = (span for span in self._shorts if gold.holds(span) and self.tokens.plain(span))
        return next((self.tokens.offset(gold, span) for span in inside), None)

    @property
    def _shorts(self) -> list[Span]:
        return [span for each in self.annotations for span in each.shorts]
