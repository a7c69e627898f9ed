"""The claims of made replies, and the passages that each of them cites."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.records import ContextPassage
from raft_exp.evaluation.citations.claims import Claim, ReplySettings, claims_of
from tests.helpers.worlds import MANY

MILL, TOWN, SHIP = (
    ContextPassage("mill", "m", "The mill", "Lio Tann built the mill in 1902. It has one wheel.", True),
    ContextPassage("town", "t", "Velmor", "The mill stands in Velmor. Velmor is a town of weavers.", False),
    ContextPassage("ship", "s", "Ships", "Lio Tann built the mill in 1902. The ship belongs to Dral.", False),
)
BEGIN, END = "##begin_quote##", "##end_quote##"
SETTINGS = ReplySettings("paper", "I don't know.", 3)
BUILT, STANDS = f"{BEGIN} It has one wheel. {END}", f"{BEGIN} The mill stands in Velmor. {END}"
INVENTED = f"{BEGIN} The mill burnt down in 1950. {END}"


def claims(reason: str, answer: str = "Lio Tann", **changes: Any) -> list[Claim]:
    settings = ReplySettings(**{**vars(SETTINGS), **changes})
    return claims_of(f"##Reason: {reason} ##Answer: {answer}", "Who built it?", [MILL, TOWN, SHIP], settings)


def cited(reason: str, answer: str = "Lio Tann") -> dict[str, list[int]]:
    return {claim.text: list(claim.passages) for claim in claims(reason, answer)}


def test_sentences_outside_quotes_and_the_answer_are_claims():
    (reason, answer) = claims(f"{BUILT} So the mill is small. {STANDS}")
    assert reason == Claim("So the mill is small.", "So the mill is small.", False, (0,))
    assert answer == Claim("Lio Tann", "Who built it? Lio Tann", True, (0, 1)), "an answer cites all quotes"


@pytest.mark.parametrize(
    "reason",
    [
        f"The text says: {BUILT}",
        f"{BUILT} shows that he did it himself.",
        f"{BEGIN}It has one wheel{END}, which is why it is slow. {STANDS}",
        f"{BEGIN}It has one wheel{END} 1902 was the year of it. {STANDS}",
        f"Hence yes. {BUILT} (Passage 1). Well then.",
        f"The first says {BUILT} and the second says {STANDS}",
        f"...  {BUILT} -- {STANDS} !?",
    ],
)
def test_pieces_of_a_sentence_with_a_quote_and_short_sentences_are_no_claims(reason):
    assert [claim.text for claim in claims(reason)] == ["Lio Tann"]


@pytest.mark.parametrize(
    "reason",
    [
        f"{BEGIN}It has one wheel.{END} 1902 was the year of it.",
        f"{BEGIN}It has one wheel{END}. 1902 was the year of it.",
        f"{BUILT} 1902 was the year of it.",
        f"1902 was the year of it. The text says: {BUILT}",
        f"{BUILT}\n\n1902 was the year of it. 1902 was the year of it.",
    ],
)
def test_a_sentence_beside_a_quote_is_a_claim_once(reason):
    assert [claim.text for claim in claims(reason)] == ["1902 was the year of it.", "Lio Tann"]


def test_a_claim_cites_the_nearest_quotes_and_of_equally_near_ones_those_before_it():
    assert cited(f"It turns very slowly. {BUILT} So it is small. Very small it is. {STANDS} The town is large.") == {
        "It turns very slowly.": [0],  # the first quotes are after it
        "So it is small.": [0],
        "Very small it is.": [1],  # no claim between it and the second quote, one between it and the first
        "The town is large.": [1],
        "Lio Tann": [0, 1],
    }
    assert cited(f"{BUILT} So it is small. {STANDS}")["So it is small."] == [0], "both are next to it: the one before"
    assert cited(f"{BUILT} {STANDS} So it is small.")["So it is small."] == [0, 1], "both stand before it"


def test_a_quote_cites_all_passages_that_contain_it_and_an_invented_one_none():
    assert cited(f"{BEGIN} Lio Tann built the mill in 1902. {END} He was the builder.")["He was the builder."] == [0, 2]
    invented = cited(f"{STANDS} So it is there. It is still there. {INVENTED} It was burnt down.")
    assert invented == {"So it is there.": [1], "It is still there.": [], "It was burnt down.": [], "Lio Tann": [1]}
    assert cited("He was the builder.") == {"He was the builder.": [], "Lio Tann": []}
    assert claims(f"{BUILT} He was the builder.", min_quote_words=5)[0].passages == ()


def test_an_answer_of_sentences_has_a_claim_for_each():
    claim, other = claims(BUILT, "Lio Tann did. He was a miller. He was a miller.")
    assert (claim.hypothesis, other.hypothesis) == ("Who built it? Lio Tann did.", "Who built it? He was a miller.")
    assert claims(BUILT, "...") == []


@pytest.mark.parametrize("answer", ["I don't know.", "The passages do not say who built it."])
def test_a_refusal_has_no_claims(answer):
    assert claims(f"{BUILT} Nothing is said of that here.", answer) == []


def test_other_forms_of_reply():
    raw = json.dumps({"reason": f"{BUILT} So it is small.", "answer": "Lio Tann"})
    found = claims_of(raw, "Who built it?", [MILL], ReplySettings("json", "I don't know.", 3))
    assert [(claim.text, claim.passages) for claim in found] == [("So it is small.", (0,)), ("Lio Tann", (0,))]
    unparsed = claims_of(f"{BUILT} So it was small.", "Who built it?", [MILL], SETTINGS)
    assert [(claim.text, claim.answer) for claim in unparsed] == [("So it was small.", False)]
    thinking = claims_of(
        f"<think>It may be anyone here.</think> ##Reason: {BUILT} ##Answer: Lio", "Who?", [MILL], SETTINGS
    )
    assert [claim.text for claim in thinking] == ["Lio"]
    open_quote = claims_of(f"##Reason: {BEGIN} It has one wheel. ##Answer: Lio", "Who?", [MILL], SETTINGS)
    assert [(claim.text, claim.passages) for claim in open_quote] == [("It has one wheel.", ()), ("Lio", ())]
    assert claims_of("", "Who built it?", [MILL], SETTINGS) == []


def test_languages_without_spaces_and_capitals():
    mill = ContextPassage("m", "m", "磨坊", "里奥在1902年建造了磨坊。磨坊有一个轮子。", True)
    raw = f"##Reason: {BEGIN}磨坊有一个轮子。{END}因此这个磨坊很小。 ##Answer: 里奥"
    found = claims_of(raw, "谁建造了磨坊？", [mill], ReplySettings("paper", "我不知道。", 3))
    assert [(claim.text, claim.passages) for claim in found] == [("因此这个磨坊很小。", (0,)), ("里奥", (0,))]


PIECES = st.sampled_from(
    [BUILT, STANDS, INVENTED, BEGIN, END, "It is so here.", "and", "Yes.", "##Answer:", "\n\n", "", ". "]
)


@given(st.lists(PIECES, max_size=9).map(" ".join), st.sampled_from(["", " ##Answer: Lio Tann"]))
@MANY
def test_claims_of_any_reply_are_distinct_and_cite_passages_of_the_prompt(reason, answer):
    found = claims_of(reason + answer, "Who built it?", [MILL, TOWN], SETTINGS)
    of_reasons = [claim.text for claim in found if not claim.answer]
    assert len(set(of_reasons)) == len(of_reasons)
    for claim in found:
        assert "##" not in claim.text
        assert list(claim.passages) == sorted(set(claim.passages))
        assert set(claim.passages) <= {0, 1}
