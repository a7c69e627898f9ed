"""Records of the corpora natural_questions and triviaqa: a question with its passages."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from raft_exp.core.collection import hash64


@dataclass(frozen=True)
class Piece:
    """A passage of a record. Its text is never empty."""

    title: str
    text: str
    gold: bool
    also_answering: bool = False  # contains an answer too: neither gold nor distractor

    @cached_property
    def content(self) -> int:
        """A hash of title and text. Records that share a passage share this hash."""
        return content(self.title, self.text)

    @property
    def id(self) -> str:
        """The passage id: the hash of the content in hexadecimal."""
        return f"{self.content:016x}"


def content(title: str, text: str) -> int:
    """Returns a 64-bit hash of a passage's title and text."""
    return hash64("\n".join((title, text)))


@dataclass(frozen=True)
class Record:
    """A question with its passages in the published order."""

    id: str
    question: str
    answers: list[str]
    pieces: list[Piece] | None  # None for a question that is published without passages
    answer_at: int | None = None  # offset in characters of the annotated short answer in the text of the gold passage
    lack: str = ""  # why the record is not used, as a name for counts; "" if it is used
    slices: dict[str, str] = field(default_factory=dict)
    is_context: bool = True  # `pieces` are the test context of the question, as published
    counted: dict[str, int] = field(default_factory=dict)  # for the counts of the corpus

    @property
    def gold(self) -> list[Piece]:
        """The gold passages."""
        return [piece for piece in self.pieces or [] if piece.gold]

    @property
    def given(self) -> list[Piece]:
        """The distractors, without repetitions."""
        gold = {piece.content for piece in self.gold}
        others = [piece for piece in self.pieces or [] if piece.content not in gold and not piece.also_answering]
        return list({piece.content: piece for piece in others}.values())

    @property
    def also_answering(self) -> list[Piece]:
        """The passages that contain an answer but are not gold, without repetitions. They are not distractors."""
        gold = {piece.content for piece in self.gold}
        others = [piece for piece in self.pieces or [] if piece.also_answering and piece.content not in gold]
        return list({piece.content: piece for piece in others}.values())

    def with_given(self, most: int, also_answering: bool) -> "Record":
        """Returns the record with only its gold passages and its first `most` distractors, in the published order.

        `also_answering`: whether the passages of the property `also_answering` stay too.
        """
        kept = [*self.gold, *self.given[:most], *(self.also_answering if also_answering else [])]
        contents = {piece.content for piece in kept}
        return replace(self, pieces=[piece for piece in self.pieces or [] if piece.content in contents])
