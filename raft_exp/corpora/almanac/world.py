"""A made world: every document comes from (seed, its number) alone, so that a world of any size needs no memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from raft_exp.core.records import Passage
from raft_exp.corpora.almanac import phrasing
from raft_exp.corpora.almanac.names import Realm, draw, given_name, made_name, stray_name
from raft_exp.corpora.almanac.phrasing import KINDS, Fact, Forms

_SHARES = ("town",) * 4 + ("person",) * 6 + ("mineral",) * 3 + ("ship",) * 3 + ("bird",) * 2 + ("study",) * 5
_SPAN = 5000  # how far another entity is looked for before a name without a document takes its place


@dataclass(frozen=True)
class World:
    """Entities 0..size-1. 2k and 2k+1 are siblings: one kind, one split, names with the same beginning.

    Entities refer only to entities of their own split, so that no document is told of in another split.
    """

    seed: int
    size: int
    validation: float
    test: float
    realm: Realm = "study"

    def kind(self, number: int) -> str:
        """town, person, mineral, ship, bird or study."""
        return _group(self.seed, number // 2, self.validation, self.test)[0]

    def split(self, number: int) -> str:
        """train, validation or test."""
        return _group(self.seed, number // 2, self.validation, self.test)[1]

    def id(self, number: int) -> str:
        """The document's id."""
        return f"{self.kind(number)}-{number}"

    def name(self, number: int) -> str:
        """The name that the document and the questions use; unique in the world."""
        name = made_name(self.seed, self.realm, number)
        return f"{given_name(self.seed, number)} {name}" if self.kind(number) == "person" else name

    def alike(self, number: int, kind: str, split: str) -> Iterator[int]:
        """Other entities of `kind` and `split`, beginning at `number` and going round once."""
        for step in range(1, min(self.size, _SPAN)):
            other = (number + step) % self.size
            if _group(self.seed, other // 2, self.validation, self.test) == (kind, split):
                yield other

    def other(self, number: int, fact: Fact) -> int | None:
        """The entity that is this person or town fact's value; None where the split has no such entity."""
        if fact.values not in KINDS:
            return None
        start = number + draw(self.seed, "other", number, fact.name) % 1000
        return next((other for other in self.alike(start, fact.values, self.split(number)) if other != number), None)

    def value(self, number: int, fact: Fact) -> str:
        """What is true in this world."""
        if fact.values == "year":
            return str(1200 + draw(self.seed, "year", number, fact.name) % 700)
        if fact.values == "made":
            return stray_name(self.seed, self.realm, number, fact.name)
        if fact.values in KINDS:
            other = self.other(number, fact)
            return self.stranger(fact.values, number, fact.name) if other is None else self.name(other)
        words = fact.values.split(", ")
        return words[draw(self.seed, "word", number, fact.name) % len(words)]

    def stranger(self, kind: str, *keys: object) -> str:
        """The name of a person or town without a document."""
        name = stray_name(self.seed, self.realm, *keys)
        return f"{given_name(self.seed, *keys)} {name}" if kind == "person" else name

    def pick(self, forms: Forms, *keys: object) -> str:
        """One of the realm's ways to say it."""
        choice = forms.of(self.realm)
        return choice[draw(self.seed, "form", *keys) % len(choice)]

    def say(self, number: int, fact: Fact, value: str | None = None) -> str:
        """The sentence of the document that tells the fact."""
        text = self.pick(fact.say, number, fact.name)
        return text.format(n=self.name(number), v=self.value(number, fact) if value is None else value)

    def outcome(self, number: int) -> str:
        """What a study found: yes, no or maybe."""
        return tuple(phrasing.OUTCOMES)[draw(self.seed, "outcome", number) % 3]

    def study_words(self, number: int) -> dict[str, str]:
        """What the forms of a study are filled with."""
        remedies, complaints = phrasing.REMEDIES, phrasing.COMPLAINTS
        return {
            "n": self.name(number),
            "t": remedies[draw(self.seed, "remedy", number) % len(remedies)],
            "c": complaints[draw(self.seed, "complaint", number) % len(complaints)],
        }

    def told(self, number: int) -> list[tuple[str, str]]:
        """The document: (fact name, sentence) in the document's own order."""
        kind = self.kind(number)
        told = self._study(number) if kind == "study" else [(fact.name, self.say(number, fact)) for fact in KINDS[kind]]
        return sorted(told, key=lambda pair: draw(self.seed, "order", number, pair[0]))

    def _study(self, number: int) -> list[tuple[str, str]]:
        words = self.study_words(number)
        outcome = phrasing.OUTCOMES[self.outcome(number)]
        told = [
            ("aim", phrasing.AIM, ""),
            ("size", phrasing.SIZE, str(20 + draw(self.seed, "size", number) % 80)),
            ("head", phrasing.HEAD, self.stranger("person", number, "head")),
            ("outcome", outcome, ""),
        ]
        return [(name, self.pick(forms, number, name).format(**words, v=value)) for name, forms, value in told]

    def passage(self, number: int) -> Passage:
        """The document, as the one passage that it is."""
        texts = [sentence for _, sentence in self.told(number)]
        sentences = [f"{text} " for text in texts[:-1]] + texts[-1:]
        name, document = self.name(number), self.id(number)
        title = f"The {name} study" if self.kind(number) == "study" else name
        return Passage(
            f"{document}#1", document, title, "".join(sentences), "paragraph 1", sentences, f"almanac seed {self.seed}"
        )

    def place(self, number: int, fact: str) -> tuple[str, int]:
        """Where a fact is told: (passage id, sentence index)."""
        return f"{self.id(number)}#1", [name for name, _ in self.told(number)].index(fact)


@lru_cache(maxsize=65536)
def _group(seed: int, pair: int, validation: float, test: float) -> tuple[str, str]:
    """Kind and split of a pair of siblings."""
    kind = _SHARES[draw(seed, "kind", pair) % len(_SHARES)]
    part = draw(seed, "split", pair) / 2**64
    return kind, "test" if part < test else "validation" if part < test + validation else "train"
