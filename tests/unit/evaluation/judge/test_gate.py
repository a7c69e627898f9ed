"""The gate of a judge: a reply is one JSON object of its task, or it is rejected with a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.evaluation.judge import gate
from raft_exp.evaluation.judge.gate import Judged, Preferred
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected


def entry(text: str, finish: str = "stop") -> LedgerEntry:
    return LedgerEntry(text, finish, 1, 1, 0.0, None)


GOOD = {"claim": "It is so.", "supported": True, "passages": [2, 1, 2]}
BAD_VERDICTS = {
    "": "empty",
    "The answer is correct.": "not_json",
    'It is {"reason": "r", "verdict": true}': "not_json",
    '{"reason": "r", "verdict": true} {"reason": "r", "verdict": false}': "not_json",
    '{"reason": "r", "verdict": false, "verdict": true}': "not_json",
    "[" * 100_000: "not_json",
    '["r", true]': "other_fields",
    "true": "other_fields",
    '{"verdict": true}': "other_fields",
    '{"reason": "r", "verdict": true, "score": 1}': "other_fields",
    '{"reason": "r", "verdict": "true"}': "no_verdict",
    '{"reason": "r", "verdict": 1}': "no_verdict",
    '{"reason": "r", "verdict": null}': "no_verdict",
    '{"reason": "r", "verdict": NaN}': "no_verdict",
    '{"reason": null, "verdict": true}': "no_reason",
}
BAD_CLAIMS = [
    ([], "no_claims"),
    ("It is so.", "no_claims"),
    (["It is so."], "claim_form"),
    ([{"claim": "It is so.", "supported": True}], "claim_form"),
    ([GOOD | {"claim": " "}], "claim_form"),
    ([GOOD | {"supported": 1}], "claim_form"),
    ([GOOD | {"passages": []}], "claim_form"),
    ([GOOD | {"supported": False}], "claim_form"),
    ([GOOD | {"passages": [0]}], "unknown_passage"),
    ([GOOD | {"passages": [3]}], "unknown_passage"),
    ([GOOD | {"passages": [True]}], "unknown_passage"),
    ([GOOD | {"passages": ["1"]}], "unknown_passage"),
    ([GOOD, GOOD | {"passages": 1}], "unknown_passage"),
]


@pytest.mark.parametrize("text", BAD_VERDICTS)
def test_a_reply_in_another_form_is_rejected_and_has_no_verdict(text):
    rejected = gate.verdict(entry(text))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == BAD_VERDICTS[text]


def test_a_reply_in_its_form_is_read_with_or_without_a_code_fence():
    whole = '{"reason": " So it is. ", "verdict": false}'
    others = (f"```json\n{whole}\n```", f'<think>{{"verdict": true}}?\n</think>\n\n{whole}')
    assert {gate.verdict(entry(text)) for text in (whole, *others)} == {Judged(0.0, "So it is.")}
    claims = [GOOD, {"claim": "Nor that.", "supported": False, "passages": []}]
    judged = gate.claims(entry(json.dumps({"reason": "r", "claims": claims})), 2)
    assert isinstance(judged, Judged)
    assert judged.value == 0.5
    assert judged.claims == [GOOD | {"passages": [1, 2]}, claims[1]]
    assert gate.better(entry('{"better": "B", "reason": "r"}')) == Preferred("B", "r")
    assert isinstance(gate.better(entry('{"better": "b", "reason": "r"}')), Rejected)


@pytest.mark.parametrize(("claims", "reason"), BAD_CLAIMS)
def test_claims_that_are_no_claims_or_cite_other_passages_are_rejected(claims, reason):
    rejected = gate.claims(entry(json.dumps({"reason": "r", "claims": claims})), 2)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


@pytest.mark.parametrize("finish", ["length", "filtered", "refused"])
def test_a_reply_that_is_cut_off_or_withheld_is_rejected_whatever_it_says(finish):
    assert isinstance(gate.verdict(entry('{"reason": "r", "verdict": true}', finish)), Rejected)


simple = st.sampled_from([None, True, 1, 1.5, float("nan"), "tie", "A", "", [], [True], [{}], [GOOD]])
fields = st.dictionaries(st.sampled_from(["reason", "verdict", "claims", "better", "more"]), simple)


@given(fields.map(json.dumps) | st.text())
def test_any_reply_is_judged_or_rejected_and_a_rejection_never_repeats_it(text):
    for judged in (gate.verdict(entry(text)), gate.claims(entry(text), 3), gate.better(entry(text))):
        if isinstance(judged, Judged):
            assert 0 <= judged.value <= 1
        elif isinstance(judged, Rejected):
            assert len(text) < 20 or text not in judged.message
