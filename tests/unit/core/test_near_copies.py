"""Near copies: all pairs that a comparison of each text with each gives, and boilerplate apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core import near_copies as module
from raft_exp.core.near_copies import is_boilerplate, near_copies, near_copies_within
from raft_exp.core.shingles import shingles, text_hash, units
from tests.helpers.worlds import EXAMPLES

PIECES = st.lists(st.integers(0, 30), min_size=0, max_size=6)  # a text is a list of sentences


def text(pieces: list[int]) -> str:
    return " ".join(f"s{piece}w{word}" for piece in pieces for word in range(9))


def contained(one: str, other: str) -> float:
    first, second = set(shingles(units(one)).tolist()), set(shingles(units(other)).tolist())
    smaller = min(len(first), len(second))
    return len(first & second) / smaller if smaller >= module.LEAST_SHINGLES else 0.0


def sets(words: str) -> np.ndarray:
    return shingles(units(words))


@contextmanager
def no_boilerplate() -> Iterator[None]:
    """Every shingle counts, however many texts have it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_distinctive", lambda first, second, counts, texts: (first, second, len(counts)))
        yield


@given(st.lists(PIECES, max_size=8), st.lists(PIECES, max_size=8))
@settings(max_examples=EXAMPLES, deadline=None)
def test_finds_the_pairs_of_a_comparison_of_each_with_each(first, second):
    one, other = [text(pieces) for pieces in first], [text(pieces) for pieces in second]
    plain = {(i, j) for i, a in enumerate(one) for j, b in enumerate(other) if contained(a, b) >= module.CONTAINMENT}
    with no_boilerplate():
        found = list(near_copies(map(sets, one), map(sets, other)))
    assert len(found) == len(set(found))
    assert set(found) == plain


@given(st.lists(PIECES, min_size=1, max_size=8), st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_pairs_within_a_list_are_those_of_different_owners(pieces, data):
    texts = [text(one) for one in pieces]
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts)))
    plain = {
        (i, j)
        for i, j in combinations(range(len(texts)), 2)
        if owners[i] != owners[j] and contained(texts[i], texts[j]) >= module.CONTAINMENT
    }
    with no_boilerplate():
        found = list(near_copies_within(lambda: map(sets, texts), np.array(owners, dtype=np.uint64)))
    assert len(found) == len(set(found))
    assert set(found) == plain


def test_a_form_that_many_texts_share_makes_no_copies():
    form = (
        "This page describes a product of our shop which you may order by mail or by telephone on all days of the week"
    )
    pages = [sets(f"{form} {text([number, number + 1])}") for number in range(0, 30, 2)]
    assert not list(near_copies_within(lambda: iter(pages), np.arange(len(pages), dtype=np.uint64)))
    copied = [*pages, sets(f"{text([0, 1])} {form} and more")]
    found = list(near_copies_within(lambda: iter(copied), np.arange(len(copied), dtype=np.uint64)))
    assert found == [(0, len(pages))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The caf\u00e9 of V\u00e9lmor", "the CAFE\u0301, of (ve\u0301lmor)!"),
        ("\uff34\uff48\uff45 mill & more", "The mill &amp; more"),
        (
            "\u6771\u4eac\u30bf\u30ef\u30fc\u306f\u9ad8\u3044",
            "\u6771\u4eac \u30bf\u30ef\u30fc\u306f\u3001\u9ad8\u3044\u3002",
        ),
        ("soft\u00adhyphen and\u200b joiner", "softhyphen and joiner"),
    ],
)
def test_signs_case_space_and_form_make_no_difference(one, other):
    assert text_hash(units(one)) == text_hash(units(other))


def test_scripts_without_spaces_are_compared_by_characters():
    sentence = (
        "\u6771\u4eac\u30bf\u30ef\u30fc\u306f1958"
        "\u5e74\u306b\u5efa\u3066\u3089\u308c\u305f\u96fb\u6ce2\u5854\u3067\u3042\u308b\u3002"
    )
    longer = sentence + "\u9ad8\u3055\u306f333\u30e1\u30fc\u30c8\u30eb\u3067\u3042\u308b\u3002"
    assert list(near_copies([sets(longer)], [sets(sentence)])) == [(0, 0)]


@pytest.mark.parametrize(
    ("size", "documents", "boilerplate"),
    [(1, 1, True), (5, 1, False), (19, 3, False), (19, 4, True), (200, 20, False), (200, 21, True)],
)
def test_boilerplate_is_short_or_frequent(size, documents, boilerplate):
    assert is_boilerplate(size, documents) == boilerplate
