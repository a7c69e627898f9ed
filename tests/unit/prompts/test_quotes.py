"""Which quotes are verbatim, and where they stand."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from raft_exp.prompts.quotes import find, occurrences, stands_exactly

TEXT = "Velmor is a town. It was  founded\nin 1702 by a ship-builder’s daughter – so it is said. The ﬁrst mill burned."
WORD = st.sampled_from(
    ["Velmor", "is", "a", "town", "1702", "1,204", "ship-builder's", "naïve", "北京", "p", "<", "0.05"]
)
MARKS = st.sampled_from([" ", "\n", "  ", "\u00a0", " \u200b"])


@pytest.mark.parametrize(
    "quote",
    [
        "It was founded in 1702",
        "“It was founded in 1702”",
        "a ship-builder's daughter",
        "a shipbuilder's daughter",
        "daughter - so it is said",
        "daughter, so it is said",
        "**founded** in *1702*",
        "it was founded in 1702",  # the case of the first letter
        "The first mill burned",  # a ligature
        "Velmor is a town ... The first mill burned.",
        "Velmor is a town […] founded in 1702",
        "foun-\nded in 1702",
        "fo\u00adunded in 1702",
        "Velmor: It was founded in 1702",  # the title before it
        "[1] It was founded in 1702",
        "Passage 1: It was founded in 1702 [1]",
    ],
)
def test_marks_do_not_break_a_quote(quote: str) -> None:
    assert find(quote, TEXT, "Velmor")


@pytest.mark.parametrize(
    "quote",
    [
        *["", "the", "a", "1702", "a town", "...", "“”", "Velmor"],  # too short
        *["It was founded in 1703", "Velmor is a city", "was founded by a ship-builder"],  # other words
        *["elmor is a tow", "It was found"],  # parts of words
        "The first mill burned ... Velmor is a town",  # the order of its parts
        "Calton: It was founded in 1702",  # the title of another passage
    ],
)
def test_other_words_are_no_quote(quote: str) -> None:
    assert not find(quote, TEXT, "Velmor")


def test_the_least_number_of_words_is_a_setting() -> None:
    assert find("a town", TEXT, min_words=2)
    assert not find("It was founded in 1702", TEXT, min_words=6)
    assert find("日本的首都", "东京是日本的首都。")
    assert not find("首都", "东京是日本的首都。"), "characters are counted, as no spaces part words"


def test_a_quote_is_found_where_it_stands() -> None:
    ((start, end),) = find("“It was founded in 1702", TEXT)
    assert TEXT[start:end] == "It was  founded\nin 1702"
    spans = find("Velmor is a town ... burned.", TEXT, min_words=1)
    assert spans == [], "a part of one word says nothing"
    assert [TEXT[start:end] for start, end in find("is a town ... mill burned", TEXT)] == ["is a town", "mill burned"]
    text = "It is so. It is so. It is so."
    assert [text[start:end] for [(start, end)] in occurrences("It is so.", text)] == ["It is so."] * 3


@given(st.lists(WORD, min_size=3, max_size=12), st.data())
def test_a_copied_piece_is_verbatim_whatever_its_white_space_and_marks(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 3))
    last = data.draw(st.integers(first + 3, len(words)))
    piece = words[first:last]
    assume(any(word[0].isalnum() for word in piece))
    quote = "".join(f"{word}{data.draw(MARKS)}" for word in piece).replace("'", data.draw(st.sampled_from(["'", "’"])))
    assert find(f"“{quote}”", text, min_words=1)
    assert not find(quote + "unsaid", text, min_words=1)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=10))
def test_any_texts_can_be_compared(quote: str, text: str, title: str) -> None:
    for start, end in find(quote, text, title, min_words=1):
        assert 0 <= start < end <= len(text)


def test_our_own_targets_stand_character_for_character() -> None:
    assert stands_exactly("It was founded in 1702", TEXT)
    assert not stands_exactly("It was founded in 1702.", TEXT)
    assert not stands_exactly("a ship-builder's daughter", TEXT)


@pytest.mark.parametrize("unit", ["a", "a ", "ab ", "1 ", "…", "... a", "東", "\u0301", "[1] ", "Passage 1: "])
def test_long_texts_are_compared_in_linear_time(unit: str) -> None:
    text = unit * (50_000 // len(unit))
    start = time.process_time()
    find(text[: len(text) // 2] + "b", text, unit)
    assert time.process_time() - start < 10
