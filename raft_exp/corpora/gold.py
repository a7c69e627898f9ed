"""Gold passages of a question that names only its document.

They are the passages that hold an answer word for word. Where none does, as with answers in people's own words, they
are the few that are closest to question and answer by bm25 within the document (`corpus.closest`).
"""

from collections import Counter
from collections.abc import Sequence

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.text import answer_pattern
from raft_exp.core.words import indexed

SLICE = "gold"  # name of the slice by how the gold passages were found, in files with questions of the second kind
WORD_FOR_WORD, CLOSEST = "holds the answer", "closest to question and answer"
_LEAST = 0.5  # of the best score of the document: passages with less are not gold
_SHOWN = 3  # places of questions in an error


class GoldFinder:
    """Finds gold passages, and counts how: `gold_by_answer`, `gold_by_document` (all of a short one),
    `gold_by_closeness`. The places of questions without any hint of their gold are in `unknown`.
    """

    def __init__(self, collection: Passages, most: int, counts: Counter[str]) -> None:
        self._collection, self._most, self._counts = collection, most, counts
        self._closest = _ClosestInDocument(collection)
        self.unknown: list[str] = []

    def find(self, place: str, question: str, answers: Sequence[str], passages: Sequence[int]) -> tuple[list[int], str]:
        """The ordinals of the gold passages among those of a document, and the value of the slice."""
        pattern = answer_pattern(answers, self._collection.form)
        holding = [at for at in passages if pattern and pattern.search(self._collection[at].text)]
        if holding:
            self._counts["gold_by_answer"] += 1
            return holding, WORD_FOR_WORD
        if len(passages) <= self._most:
            self._counts["gold_by_document"] += 1
            return [*passages], CLOSEST
        self._counts["gold_by_closeness"] += 1
        closest = self._closest(passages, f"{question} {' '.join(answers)}", self._most)
        if not closest:
            self.unknown.append(place)
        return closest or [*passages[: self._most]], CLOSEST

    def check(self, asked: int) -> None:
        """Raises DataError where a question shares no word with any passage of its document."""
        if self.unknown:
            shown = ", ".join(self.unknown[:_SHOWN]) + (", ..." if len(self.unknown) > _SHOWN else "")
            raise DataError(
                f"corpus.questions: {len(self.unknown)} of {asked} questions ({shown}) have an answer that stands "
                "nowhere in their document, and share no word with any of its passages, so that their gold is unknown; "
                'name their passages in "gold", or leave them out'
            )


class _ClosestInDocument:
    """Ranks the passages of one document by bm25; keeps the index of the last document."""

    def __init__(self, collection: Passages) -> None:
        self._collection = collection
        self._document: tuple[int, ...] = ()

    def __call__(self, passages: Sequence[int], text: str, most: int) -> list[int]:
        """At most `most` ordinals in text order; [] where no passage shares a word with the text."""
        import bm25s

        if self._document != tuple(passages):
            self._document, self._index = tuple(passages), bm25s.BM25()
            words = [indexed(self._collection[at].text) or [""] for at in passages]
            self._index.index(words, show_progress=False)
        asked = [word for word in indexed(text) if word in self._index.vocab_dict]
        if not asked:
            return []
        scores = self._index.get_scores(asked).tolist()
        best = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:most]
        return [passages[place] for place in sorted(best) if scores[place] >= _LEAST * scores[best[0]]]
