"""Questions that are one, nearly one, or about two things."""

import pytest

from raft_exp.core.shingles import units
from raft_exp.core.wording import WordingUses, answer_forms, answers_agree, wording


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("When was Velmor founded?", "when was VELMOR founded", "same"),
        ("When was Velmor founded?", "Q: When was Velmor founded?", "longer"),
        ("When was Velmor founded?", "Was Velmor founded when?", "longer"),
        ("When was Velmor founded?", "When was Garford founded?", "near"),
        ("Who built it?", "Who built them?", "near"),
        ("When was Velmor founded?", "Who lives in the mill of Velmor?", "other"),
        ("Who?", "Whom?", "other"),
    ],
)
def test_wording(one, other, how):
    assert wording(units(one), units(other)) == wording(units(other), units(one)) == how


def test_answers_agree_by_whole_words():
    assert answers_agree(answer_forms(["Paris"]), answer_forms(["Lyon", "paris, France"]))
    assert not answers_agree(answer_forms(["no"]), answer_forms(["known"]))


def test_a_template_asks_about_many_documents_or_has_several_answers():
    uses = WordingUses()
    for document, answer in [(1, "blue"), (2, "blue"), (3, "blue")]:
        uses.add(7, [document], answer_forms([answer]))
    assert not uses.is_template(7)
    assert list(uses.repeated()) == [{1, 2, 3}]
    uses.add(7, [4], answer_forms(["blue"]))
    uses.add(8, [1], answer_forms(["blue"]))
    uses.add(8, [2], answer_forms(["red"]))
    assert uses.is_template(7)
    assert uses.is_template(8)
    assert list(uses.repeated()) == []
