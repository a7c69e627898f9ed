import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps.ask.citations import cite, judge
from raft_exp.core.records import Answer, ContextPassage
from raft_exp.evaluation.scoring import check_quotes
from tests.helpers import small_training as small

CONTEXT = [
    ContextPassage("a#1", "a", "Velmor", "Velmor is a town.\nIt was  founded in 1702.", False, "page 3"),
    ContextPassage("b#1", "b", "Calton", "Calton (a town) was founded in 1702.", False),
]
SOURCES = ["towns.pdf", "more.pdf"]


def judged(raw: str, cot: bool = True, context=CONTEXT, truncated: bool = False):
    reply = Answer("q", raw, truncated, 1, 1)
    return judge(reply, context, SOURCES[: len(context)], small.prompt_config(), cot)


def test_a_quote_is_found_where_it_stands_whatever_its_white_space():
    (one,) = judged("##begin_quote## It was founded\nin 1702. ##end_quote## ##Answer: 1702").citations
    assert (one.verbatim, one.passage, one.document_id, one.place, one.source) == (True, 1, "a", "page 3", "towns.pdf")
    assert CONTEXT[0].text[one.start : one.end] == "It was  founded in 1702."


@given(st.text("ab (.\n\t", max_size=12), st.lists(st.text("ab (.\n\t", max_size=20), max_size=3))
def test_what_stands_word_for_word_is_what_the_scores_say(quote, texts):
    context = [ContextPassage(str(n), str(n), "", text, False) for n, text in enumerate(texts)]
    (known,) = check_quotes([quote], context)
    assert cite(quote, context, [""] * len(context)).verbatim == known["verbatim"]


@pytest.mark.parametrize(
    ("raw", "cot", "verdict"),
    [
        ("##begin_quote## Calton (a town) ##end_quote## ##Answer: Calton", True, "quoted"),
        ("##begin_quote## Calton is old. ##end_quote## ##Answer: Calton", True, "not_verbatim"),
        ("##Answer: Calton", True, "unsupported"),
        ("Calton", True, "unparsed"),
        ("##Answer: The passages do not hold the answer.", True, "refused"),
        ("##begin_quote## Calton (a town) ##end_quote## ##Answer:", True, "refused"),
        ("##Answer: 1702", False, "quoted"),
        ("##Answer: 1800", False, "unsupported"),
        ("##Answer: yes", False, "answered"),
        ("##Answer: yes", True, "unsupported"),
        ("##begin_quote## the ##end_quote## ##Answer: Calton", True, "not_verbatim"),  # too few words
        ("##begin_quote## “Calton (a **town**)” ##end_quote## ##Answer: Calton", True, "quoted"),
        ("I'm sorry, but there isn't enough information to answer that.", True, "refused"),
        ("<think>Calton?</think>The passages don't say.", True, "refused"),
    ],
)
def test_what_a_reader_is_told(raw, cot, verdict):
    found = judged(raw, cot)
    assert found.verdict == verdict
    assert bool(found.note) == (verdict not in ("quoted", "answered"))


def test_an_answer_without_quotes_is_shown_where_it_stands():
    found = judged("##Answer: 1702", cot=False)
    assert [(one.text, one.passage) for one in found.citations] == [
        ("It was  founded in 1702.", 1),
        ("Calton (a town) was founded in 1702.", 2),
    ]


def test_a_reply_that_was_cut_off_says_so():
    assert "cut off" in judged("##begin_quote## Calton (a", truncated=True).note
