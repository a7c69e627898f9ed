"""Finds many known texts inside other texts, exactly or, for questions, with a few words changed.

The time does not grow with the number of known texts. Case, punctuation, white space, Unicode form and HTML entities
make no difference. A unit is a normalised word, or a character of a script without spaces.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

from raft_exp.core.wording import Wording, changeable, wording

Name = TypeVar("Name", bound=Hashable)

_HEAD = 4  # first units of a text, the key of the look-up
_SHORTEST = 3  # units; shorter texts occur in many texts by chance and are not looked for
_FREQUENT = 100  # a pair of neighbouring units ("what is") in more questions than this identifies none of them


class TextFinder(Generic[Name]):
    """An index of texts by their first units. `texts`: (name, units) of each text.

    Texts of fewer than `_SHORTEST` units are left out, so they are never found.
    """

    def __init__(self, texts: Iterable[tuple[Name, Sequence[str]]]) -> None:
        self._heads: dict[tuple[str, ...], list[tuple[list[str], Name]]] = defaultdict(list)
        for name, text in texts:
            if len(text) >= _SHORTEST:
                self._heads[tuple(text[:_HEAD])].append((list(text), name))
        self._sizes = sorted({len(head) for head in self._heads})

    def within(self, units: list[str]) -> Iterator[Name]:
        """Yields the names of the texts that occur in `units`, once for each occurrence."""
        for start in range(len(units)):
            for size in self._sizes:
                for text, name in self._heads.get(tuple(units[start : start + size]), ()):
                    if units[start : start + len(text)] == text:
                        yield name


class NearFinder(Generic[Name]):
    """An index of questions by their pairs of neighbouring units. `questions`: name -> units."""

    def __init__(self, questions: Mapping[Name, Sequence[str]]) -> None:
        self._questions = {name: list(text) for name, text in questions.items()}
        self._pairs: dict[tuple[str, str], list[Name]] = defaultdict(list)
        for name, text in self._questions.items():
            for pair in set(pairwise(text)):
                self._pairs[pair].append(name)
        self._sizes = Counter(
            name for names in self._pairs.values() if len(names) <= _FREQUENT for name in names
        )  # question -> number of pairs that identify it

    def within(self, units: list[str]) -> dict[Name, Wording]:
        """Returns {question: wording} for the questions that `units` contains exactly or with small changes.

        The wording is "same" for exact occurrences, "longer" or "near" for others (`core.wording`).
        """
        places: dict[Name, list[int]] = defaultdict(list)
        for place, pair in enumerate(pairwise(units)):
            names = self._pairs.get(pair, ())
            if len(names) <= _FREQUENT:
                for name in names:
                    places[name].append(place)
        found = {name: self._wording(name, units, starts) for name, starts in places.items()}
        return {name: how for name, how in found.items() if how != "other"}

    def _wording(self, name: Name, units: list[str], places: list[int]) -> Wording:
        """Compares the question `name` with the text `units` and with its parts; returns the closest wording.

        `places`: the indices in `units` of pairs that the question also has.
        """
        question = self._questions[name]
        changes = changeable(len(question))
        if len(places) < self._sizes[name] - 2 * changes:  # a changed unit breaks two pairs
            return "other"
        size = len(question)
        starts = {max(0, place - offset) for place in places for offset in range(size)}
        # No shorter stretches: they could leave out the very word in which two questions differ.
        lengths = range(size, size + changes + 1)
        stretches = (units[start : start + length] for start in sorted(starts) for length in lengths)
        order: tuple[Wording, ...] = ("same", "longer", "near")
        kinds = {wording(question, stretch) for stretch in stretches if len(stretch) >= size}
        kinds.add(wording(question, units))
        return next((kind for kind in order if kind in kinds), "other")
