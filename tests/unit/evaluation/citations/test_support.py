"""Recall and precision of citations on made claims, with a model that entails what the test says, by hand."""

from typing import Any

import pytest

from raft_exp.core.records import ContextPassage
from raft_exp.evaluation.citations.claims import Claim
from raft_exp.evaluation.citations.figures import citation_figures, invented_quotes
from raft_exp.evaluation.citations.support import CitedClaim, read
from raft_exp.evaluation.results import ClaimRow
from raft_exp.models.nli import Verdict
from tests.unit.reporting.test_examples import reply

PASSAGES = [ContextPassage(name, name, f"About {name}", f"text of {name}", True) for name in "abcd"]


class Model:
    """Entails a claim where the premise has all passages of one of its `sets`. It notes what it read."""

    def __init__(self, *sets: str) -> None:
        self.sets = sets
        self.calls: list[list[str]] = []

    def __call__(self, pairs):
        premises = ["".join(name for name in "abcd" if f"text of {name}" in premise) for premise, _ in pairs]
        self.calls.append(premises)
        return [Verdict(any(set(one) <= set(premise) for one in self.sets), len(premise) > 2) for premise in premises]


def decided(cited: str, *sets: str) -> tuple[CitedClaim, Model]:
    claim = CitedClaim(Claim("it", "it", False, tuple("abcd".index(name) for name in cited)), PASSAGES)
    model = Model(*sets)
    read([claim], model)
    return claim, model


@pytest.mark.parametrize(
    ("cited", "sets", "supported", "supporting"),
    [
        ("a", ["a"], True, "a"),
        ("a", ["b"], False, ""),
        ("", ["a"], False, ""),
        ("ab", ["a"], True, "a"),  # b is not needed
        ("ab", ["a", "b"], True, "ab"),  # each alone supports it
        ("ab", ["ab"], True, "ab"),  # both are needed
        ("abc", ["ab"], True, "ab"),  # c is not needed
        ("abc", ["abc"], True, "abc"),
        ("abc", ["ab", "bc", "ac"], True, ""),  # none is needed: as in ALCE, none counts
        ("abcd", ["ab", "ac"], True, "a"),
        ("ab", ["abc"], False, ""),  # c is not cited
    ],
)
def test_which_citations_support_a_claim(cited, sets, supported, supporting):
    claim, model = decided(cited, *sets)
    assert claim.supported is supported
    assert [PASSAGES[place].id for place in claim.supporting] == list(supporting)
    assert len(model.calls) == 3


def test_the_model_reads_titles_and_texts_and_nothing_twice():
    claim, model = decided("abc", "bc")
    assert model.calls == [["a", "b", "c"], ["abc"], ["bc", "ac", "ab"]]
    assert claim.premise((0, 2)) == "About a\ntext of a\nAbout c\ntext of c"
    assert claim.cut == 1, "texts of three passages are too long for this model"
    assert decided("ab", "ab")[1].calls == [["a", "b"], ["ab"], []], "each alone is known from the first call"
    assert decided("ab", "a")[1].calls == [["a", "b"], [], []]


def row(passages: str, supporting: str, supported: bool) -> ClaimRow:
    cited, held = list(passages), list(supporting)
    return {"claim": "it", "answer": False, "supported": supported, "passages": cited, "supporting": held}


def test_recall_and_precision_are_shares_of_claims_and_of_citations():
    replies = [
        [row("ab", "a", True), row("", "", False)],  # 1 of 2 claims, 1 of 2 citations
        [row("abc", "ab", True)],  # 1 of 1, 2 of 3
        [row("d", "", False), row("d", "d", True), row("d", "d", True)],  # 2 of 3, 2 of 3
        [],  # a refusal
    ]
    figures = citation_figures(replies)
    recall, precision = figures["recall"], figures["precision"]
    assert (recall["value"], precision["value"]) == pytest.approx((4 / 6, 5 / 8))
    assert (recall["n"], precision["n"]) == (6, 8)
    for figure in (recall, precision):
        assert 0 < figure["low"] < figure["value"] < figure["high"] < 1
    assert set(citation_figures([[row("", "", False)]])) == {"recall"}, "nothing is cited"
    assert citation_figures([[], []]) == {}


def test_intervals_treat_the_reply_as_the_sampling_unit():
    """Ten claims of one reply tell less than ten claims of ten replies."""
    right, wrong = row("a", "a", True), row("a", "", False)
    together = citation_figures([[right] * 10, [wrong] * 10, [right] * 10, [wrong] * 10])["recall"]
    apart = citation_figures([[right], [wrong]] * 20)["recall"]
    assert together["value"] == apart["value"] == 0.5
    assert together["high"] - together["low"] > apart["high"] - apart["low"]


def test_the_rate_of_invented_quotes_is_over_quotes():
    found, invented = ({"text": "x", "verbatim": verbatim, "gold": False} for verbatim in (True, False))
    rows: list[Any] = [
        reply("q1", True, quotes=[found, invented, invented]),
        reply("q2", True, quotes=[found]),
        reply("q3", True),
    ]
    figure = invented_quotes(rows)
    assert figure
    assert (figure["value"], figure["n"]) == (0.5, 4)
    assert figure["low"] < 0.5 < figure["high"]
    assert invented_quotes(rows[2:]) is None
