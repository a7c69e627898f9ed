"""Finds gold passages of held-out questions that are equal to a gold passage of training, or a near copy of one."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from raft_exp.core.collection import Passages
from raft_exp.core.near_copies import is_boilerplate, near_copies
from raft_exp.core.shingles import Shingles, shingles, text_hash, units


@dataclass(frozen=True)
class GoldLinks:
    """Maps held-out gold passages to gold passages of training that are equal or near copies. Passages are ordinals."""

    training: Mapping[int, frozenset[int]]  # held-out passage -> training passages; without boilerplate
    identical: frozenset[int]  # held-out passages with an identical one in training
    boilerplate: frozenset[int]  # held-out passages that are boilerplate and have an identical one in training

    def between(self, held_out: Iterable[int], training: Collection[int]) -> list[int]:
        """Returns the passages of `held_out` that are equal to a passage of `training`, or a near copy of one."""
        return [ordinal for ordinal in held_out if not self.training.get(ordinal, frozenset()).isdisjoint(training)]

    def linked(self, held_out: Iterable[int]) -> int | None:
        """Returns a training passage that equals or nearly copies one of the held-out passages; None without one."""
        return next((min(self.training[ordinal]) for ordinal in held_out if ordinal in self.training), None)


class _Texts:
    """Passages grouped by the hash of their text."""

    def __init__(self, passages: Passages, ordinals: Iterable[int]) -> None:
        self.passages = passages
        self.same: dict[int, list[int]] = defaultdict(list)  # hash of the text -> passages
        self.sizes: dict[int, int] = {}  # hash of the text -> number of its units (`shingles.units`)
        for ordinal in ordinals:
            text_units = units(passages[ordinal].text)
            words = text_hash(text_units)
            self.same[words].append(ordinal)
            self.sizes[words] = len(text_units)

    def documents(self, words: int) -> set[int]:
        """Returns the hashed ids of the documents that contain the text with the hash `words`."""
        return {int(self.passages.documents[ordinal]) for ordinal in self.same.get(words, ())}

    def shingles(self, hashes: Iterable[int]) -> Iterator[Shingles]:
        """Yields the shingles (word n-grams) of the texts with the given hashes."""
        return (shingles(units(self.passages[self.same[words][0]].text)) for words in hashes)


def gold_links(passages: Passages, training: Iterable[int], held_out: Iterable[int]) -> GoldLinks:
    """Compares the gold passages of training with those of a held-out split. Both are given as ordinals."""
    learned, tested = _Texts(passages, training), _Texts(passages, held_out)
    boilerplate = {words for words in tested.same if _is_boilerplate(words, learned, tested)}
    identical = tested.same.keys() & learned.same.keys()
    related = {words: {words} for words in identical - boilerplate}
    first, second = (sorted(texts.same.keys() - boilerplate) for texts in (learned, tested))
    for pair in near_copies(learned.shingles(first), tested.shingles(second)):
        related.setdefault(second[pair.second], set()).add(first[pair.first])
    links = {
        ordinal: frozenset(other for one in hashes for other in learned.same[one])
        for words, hashes in related.items()
        for ordinal in tested.same[words]
    }
    return GoldLinks(
        links,
        frozenset(ordinal for words in identical - boilerplate for ordinal in tested.same[words]),
        frozenset(ordinal for words in identical & boilerplate for ordinal in tested.same[words]),
    )


def _is_boilerplate(words: int, learned: _Texts, tested: _Texts) -> bool:
    return is_boilerplate(tested.sizes[words], len(learned.documents(words) | tested.documents(words)))
