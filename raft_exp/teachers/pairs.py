"""Chooses pairs of passages for questions that need both (`task@teacher.questions=two_passages`).

Two passages are linked by the rare names that they share. A name is a capitalised word, or a word with letters and
digits. A name is rare if few passages have it. In scripts without capitals every word is a name. A word that the corpus
also writes in lower case is no name: its capital only marks the beginning of a sentence.

The choice depends on the passages alone, so it is the same in every run.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Passage
from raft_exp.core.words import indexed

_WORD = re.compile(r"[^\W_](?:[\w'\u2019-]*[^\W_])?")
_POSSESSIVE = re.compile(r"['\u2019]s$")
_LEAST_LETTERS = 3  # least number of characters of a name
_MOST_ALIKE = 0.5  # largest share of the shorter passage's words that the other may have; more: a copy or an overlap

Pair = tuple[int, int]  # ordinals, ascending


@dataclass(frozen=True)
class Names:
    """The words of a passage, as hashes. `names`: words that may be names. `ordinary`: other words in lower case."""

    names: frozenset[int]
    ordinary: frozenset[int]


def names_of(text: str) -> Names:
    """Returns the words of a text that may be names, and the other words in lower case.

    In a script without capitals, all words may be names.
    """
    words = [_POSSESSIVE.sub("", word) for word in _WORD.findall(text)]
    if any(word.lower() != word.upper() for word in words):
        marked = {word for word in words if word[0].isupper() or (any(map(str.isdigit, word)) and not word.isdigit())}
        found = {word.casefold() for word in marked if len(word) >= _LEAST_LETTERS}
        ordinary = {word for word in words if word.islower() and word not in marked}
    else:
        found, ordinary = set(indexed(text)), set[str]()
    return Names(frozenset(map(hash64, found)), frozenset(map(hash64, ordinary)))


class LinkedPairs:
    """Pairs of linked passages. Both passages of a pair have the same split. A passage is in one pair at most.

    Each rare name that two passages share adds log(number of all passages / number of passages with the name) to the
    weight of their pair. Pairs with high weights are chosen first.

    `passages`: the passages, each with its split. `most_holders`: a name links passages only if at most this many
    passages contain the name. `linked`: whether passages of two documents may be a pair.
    """

    def __init__(
        self, collection: Passages, passages: Iterable[tuple[Passage, str]], most_holders: int, linked: bool
    ) -> None:
        self._collection = collection
        holders, ordinary, self._splits = defaultdict[int, list[int]](list), set[int](), dict[int, str]()
        for passage, split in passages:
            ordinal, found = collection.find(passage.id), names_of(passage.text)
            self._splits[ordinal] = split
            ordinary |= found.ordinary
            for name in found.names:
                if len(holders[name]) <= most_holders:  # one more than allowed tells that the name is not rare
                    holders[name].append(ordinal)
        rare = {name: found for name, found in holders.items() if 2 <= len(found) <= most_holders}
        self._weights = self._weighed({name: found for name, found in rare.items() if name not in ordinary}, linked)

    def __iter__(self) -> Iterator[tuple[Pair, str]]:
        """Yields the pairs with their splits, in the order of their first passages."""
        chosen, taken = list[Pair](), set[int]()
        for pair in sorted(self._weights, key=lambda pair: (-self._weights[pair], pair)):
            if taken.isdisjoint(pair) and not self._alike(pair):
                taken.update(pair)
                chosen.append(pair)
        return ((pair, self._splits[pair[0]]) for pair in sorted(chosen))

    def _weighed(self, rare: Mapping[int, list[int]], linked: bool) -> dict[Pair, float]:
        weights, documents = defaultdict[Pair, float](float), self._collection.documents
        for found in rare.values():
            weight = math.log(len(self._splits) / len(found))
            for one, other in combinations(sorted(found), 2):
                same = documents[one] == documents[other]
                if self._splits[one] == self._splits[other] and (linked or same):
                    weights[one, other] += weight
        return {pair: round(weight, 6) for pair, weight in weights.items()}  # the sum's order changes the last bits

    def _alike(self, pair: Pair) -> bool:
        one, other = (set(indexed(self._collection[ordinal].text)) for ordinal in pair)
        return len(one & other) > _MOST_ALIKE * min(len(one), len(other))
