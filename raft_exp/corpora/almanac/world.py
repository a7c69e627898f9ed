"""A generated world. Each document is computed from (seed, number), so a world of any size needs little memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from raft_exp.core.records import Passage
from raft_exp.corpora.almanac import phrasing
from raft_exp.corpora.almanac.names import Realm, draw, given_name, made_name, stray_name
from raft_exp.corpora.almanac.phrasing import KINDS, Fact, Forms

_SHARES = ("town",) * 4 + ("person",) * 6 + ("mineral",) * 3 + ("ship",) * 3 + ("bird",) * 2 + ("study",) * 5
_SPAN = 5000  # entities searched for a fact's value, before a name without a document is used


@dataclass(frozen=True)
class World:
    """Entities with the numbers 0 to size - 1.

    Entities 2k and 2k+1 are siblings: same kind, same split, names with the same first syllable. Entities refer only to
    entities of their own split, so that no document reveals facts of another split.
    """

    seed: int
    size: int
    validation: float
    test: float
    realm: Realm = "study"

    def kind(self, number: int) -> str:
        """Returns the kind of an entity: town, person, mineral, ship, bird or study."""
        return _group(self.seed, number // 2, self.validation, self.test)[0]

    def split(self, number: int) -> str:
        """Returns the split of an entity: train, validation or test."""
        return _group(self.seed, number // 2, self.validation, self.test)[1]

    def id(self, number: int) -> str:
        """Returns the id of the document about an entity."""
        return f"{self.kind(number)}-{number}"

    def name(self, number: int) -> str:
        """Returns the name of the entity in documents and questions. It is unique in the world."""
        name = made_name(self.seed, self.realm, number)
        return f"{given_name(self.seed, number)} {name}" if self.kind(number) == "person" else name

    def alike(self, number: int, kind: str, split: str) -> Iterator[int]:
        """Yields the numbers of other entities of a kind and split, in cyclic order from `number`.

        At most the next `_SPAN` - 1 entities are searched.
        """
        for step in range(1, min(self.size, _SPAN)):
            other = (number + step) % self.size
            if _group(self.seed, other // 2, self.validation, self.test) == (kind, split):
                yield other

    def other(self, number: int, fact: Fact) -> int | None:
        """Returns the number of the person or town that is the value of a fact of entity `number`.

        Returns None if the value is not an entity, or if no such entity is found in the split.
        """
        if fact.values not in KINDS:
            return None
        start = number + draw(self.seed, "other", number, fact.name) % 1000
        return next((other for other in self.alike(start, fact.values, self.split(number)) if other != number), None)

    def value(self, number: int, fact: Fact) -> str:
        """Returns the value of a fact of an entity."""
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
        """Returns the name of a person or town without a document."""
        name = stray_name(self.seed, self.realm, *keys)
        return f"{given_name(self.seed, *keys)} {name}" if kind == "person" else name

    def pick(self, forms: Forms, *keys: object) -> str:
        """Returns one of the phrasings of the world's realm, drawn by (seed, keys)."""
        choice = forms.of(self.realm)
        return choice[draw(self.seed, "form", *keys) % len(choice)]

    def say(self, number: int, fact: Fact, value: str | None = None) -> str:
        """Returns the sentence of the document that states a fact. `value`: None for the true value."""
        text = self.pick(fact.say, number, fact.name)
        return text.format(n=self.name(number), v=self.value(number, fact) if value is None else value)

    def outcome(self, number: int) -> str:
        """Returns the result of a study: yes, no or maybe."""
        return tuple(phrasing.OUTCOMES)[draw(self.seed, "outcome", number) % 3]

    def study_words(self, number: int) -> dict[str, str]:
        """Returns the words that fill the phrasings of a study: {n: name, t: remedy, c: complaint}."""
        remedies, complaints = phrasing.REMEDIES, phrasing.COMPLAINTS
        return {
            "n": self.name(number),
            "t": remedies[draw(self.seed, "remedy", number) % len(remedies)],
            "c": complaints[draw(self.seed, "complaint", number) % len(complaints)],
        }

    def facts(self, number: int) -> list[tuple[str, str]]:
        """Returns (sentence, name of its fact) pairs in the order of the document."""
        kind = self.kind(number)
        if kind == "study":
            facts = self._study(number)
        else:
            facts = [(fact.name, self.say(number, fact)) for fact in KINDS[kind]]
        return sorted(facts, key=lambda pair: draw(self.seed, "order", number, pair[0]))

    def _study(self, number: int) -> list[tuple[str, str]]:
        words = self.study_words(number)
        outcome = phrasing.OUTCOMES[self.outcome(number)]
        facts = [
            ("aim", phrasing.AIM, ""),
            ("size", phrasing.SIZE, str(20 + draw(self.seed, "size", number) % 80)),
            ("head", phrasing.HEAD, self.stranger("person", number, "head")),
            ("outcome", outcome, ""),
        ]
        return [(name, self.pick(forms, number, name).format(**words, v=value)) for name, forms, value in facts]

    def passage(self, number: int) -> Passage:
        """Returns the document about an entity, which is a single passage."""
        texts = [sentence for _, sentence in self.facts(number)]
        sentences = [f"{text} " for text in texts[:-1]] + texts[-1:]
        name, document = self.name(number), self.id(number)
        title = f"The {name} study" if self.kind(number) == "study" else name
        return Passage(
            f"{document}#1", document, title, "".join(sentences), "paragraph 1", sentences, f"almanac seed {self.seed}"
        )

    def place(self, number: int, fact: str) -> tuple[str, int]:
        """Returns where a fact is stated: (passage id, sentence index)."""
        return f"{self.id(number)}#1", [name for name, _ in self.facts(number)].index(fact)


@lru_cache(maxsize=65536)
def _group(seed: int, pair: int, validation: float, test: float) -> tuple[str, str]:
    """Returns the kind and the split of a pair of siblings."""
    kind = _SHARES[draw(seed, "kind", pair) % len(_SHARES)]
    part = draw(seed, "split", pair) / 2**64
    return kind, "test" if part < test else "validation" if part < test + validation else "train"
