import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps.ask.stream import ReplySplitter

RAW = "##Reason: It says ##begin_quote## Velmor is old. ##end_quote## and so. ##Answer: 1702"


def told(pieces: list[str], reply_format="paper") -> list[tuple[str, str]]:
    """(kind, text) with neighbours of one kind put together."""
    splitter = ReplySplitter(reply_format)
    found = [event for piece in pieces for event in splitter.feed(piece)] + list(splitter.end())
    joined: list[tuple[str, str]] = []
    for kind, text in found:
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined


@given(st.lists(st.integers(0, len(RAW)), max_size=30))
def test_however_a_reply_is_cut_into_pieces_it_is_told_the_same(cuts):
    places = [0, *sorted(cuts), len(RAW)]
    pieces = [RAW[start:end] for start, end in itertools.pairwise(places)]
    said = [(kind, text.strip()) for kind, text in told(pieces)]
    assert said == [("reason", "It says"), ("quote", "Velmor is old."), ("reason", "and so."), ("answer", "1702")]


def test_text_is_told_at_once_but_for_what_may_become_a_marker():
    splitter = ReplySplitter("paper")
    assert list(splitter.feed("##Answer: twelve #")) == [("answer", "twelve")]
    assert list(splitter.feed("1")) == [("answer", " #1")]
    assert list(splitter.end()) == []


def test_two_quotes_do_not_run_into_each_other():
    raw = "##begin_quote## One. ##end_quote## ##begin_quote## Two. ##end_quote## ##Answer: 3"
    assert [kind for kind, _ in told([raw])] == ["quote", "reason", "quote", "reason", "answer"]


@pytest.mark.parametrize("raw", ["no marker at all", '{"answer": "##Answer: x"}'])
def test_a_reply_of_another_form_is_told_as_it_is(raw):
    assert told(list(raw), "json") == [("reason", raw)]
