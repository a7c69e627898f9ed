"""The gate: what it lets in, and the name of what it does not."""

from collections import Counter
from dataclasses import replace

import pytest

from raft_exp.core.records import Question, Target
from raft_exp.core.schema import identity
from raft_exp.core.text import normalise
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected
from raft_exp.teachers import gate
from raft_exp.teachers.tasks import AnswerTask, Gate, QuestionTask
from tests.helpers import small_training as small

GOLD = ["The mill of \u201cVelmor\u201d was\nclosed in 1802. It was Anna\u2019s.", "Bread is baked there."]
QUESTION = Question("q", "When was the mill closed?", ["in 1802", "1802"], ["a", "b"], "train")
QUOTED = 'The mill of "Velmor" was closed in 1802.'
GOOD = f"##Reason: The text says ##begin_quote## {QUOTED} ##end_quote## So it was then. ##Answer: 1802."


def task(name: str = "cot_answer", **changes) -> AnswerTask:
    values = small.values("task", name)
    return AnswerTask(**{**values, "gate": Gate(**values["gate"] | changes)})


def entry(answer: str, finish: str = "stop") -> LedgerEntry:
    return LedgerEntry(answer, finish, 1, 1, 0.1, None)


def judged(answer: str, question: Question = QUESTION, finish: str = "stop", how: AnswerTask | None = None):
    return gate.validate_reply(how or task(), entry(answer, finish), question, GOLD)


def test_a_good_reply_becomes_a_target_in_the_passages_own_words():
    quote = "##begin_quote## The mill of \u201cVelmor\u201d was closed in 1802. ##end_quote##"
    assert judged(GOOD) == Target("q", "1802", f"The text says {quote} So it was then.")


@pytest.mark.parametrize(
    "quote",
    [
        "'Bread is baked there.'",
        "\u201cBread is baked there\u201d",
        " Bread  is\nbaked there ",
        "It was Anna's",
        '"It was Anna\u00b4s."',
    ],
)
def test_quotes_count_whatever_the_space_and_the_quote_marks(quote):
    found = judged(GOOD.replace(QUOTED, quote))
    assert isinstance(found, Target)
    assert any(
        text in " ".join(GOLD) for text in [found.reason.split("##begin_quote## ")[1].split(" ##end_quote##")[0]]
    )


REFUSED = {
    "empty": " \n",
    "no_answer_marker": GOOD.replace("##Answer:", "Answer:"),
    "quote_in_answer": GOOD + " ##begin_quote##",
    "several_answers": GOOD.replace("So it", "##Answer: 1803 So it"),
    "other_answer": GOOD.replace("1802.", "1803."),
    "refusal": "##Reason: None. ##Answer: I don't know.",
    "quote_not_in_gold": GOOD.replace("The mill of", "The old mill of"),
    "broken_quotes": GOOD.replace(" ##end_quote##", ""),
    "few_quotes": "##Reason: It was closed in that very year. ##Answer: 1802",
    "short": "##Reason: ##begin_quote## 1802 ##end_quote## ##Answer: 1802",
    "long": GOOD.replace("So it was then", "then " * 500),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_reply_that_cannot_be_used_is_refused_by_name(reason):
    found = judged(REFUSED[reason])
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert found.message


def test_no_quote_ends_inside_another():
    nested = GOOD.replace("closed in", "##begin_quote## closed in")
    assert judged(nested).reason == "broken_quotes"
    assert judged(GOOD.replace("##begin_quote##", "##end_quote##")).reason == "broken_quotes"
    assert judged(GOOD.replace(QUOTED, " ")).reason == "quote_not_in_gold"
    assert judged(GOOD.replace(QUOTED, '" "')).reason == "quote_not_in_gold"


@pytest.mark.parametrize(("finish", "reason"), [("length", "cut_off"), ("filtered", "filtered")])
def test_what_was_cut_or_withheld_is_never_used(finish, reason):
    assert judged(GOOD, finish=finish).reason == reason


def test_without_an_answer_of_its_own_a_question_gets_the_written_one():
    asked = replace(QUESTION, answers=[])
    assert judged(GOOD, asked).answer == "1802."
    assert judged(GOOD.replace("1802.", "I cannot tell."), asked).reason == "refusal"
    assert judged(GOOD.replace("##Answer: 1802.", "##Answer: " + "word " * 100), asked).reason == "long_answer"


def test_a_long_verified_answer_raises_the_limit_of_words_for_its_question_alone():
    long = " ".join(["word"] * 242)
    reply = GOOD.replace("##Answer: 1802.", f"##Answer: {long}")
    asked = replace(QUESTION, answers=["1802", long])
    found = judged(reply, asked)
    assert isinstance(found, Target)
    assert found.answer == long
    free = task(agrees=False)
    assert judged(GOOD.replace("##Answer: 1802.", f"##Answer: {long} more"), asked, how=free) == Rejected(
        "long_answer", "its answer had more than 242 words"
    )
    short = replace(QUESTION, answers=["1802"])
    assert judged(reply, short, how=free) == Rejected("long_answer", "its answer had more than 60 words")


def test_no_is_not_found_in_know():
    asked = replace(QUESTION, answers=["no"])
    assert judged(GOOD.replace("##Answer: 1802.", "##Answer: No."), asked).answer == "no"
    assert judged(GOOD.replace("##Answer: 1802.", "##Answer: They know."), asked).reason == "other_answer"


def test_json_replies():
    reply = '{"reason": "It says ##begin_quote## closed in 1802 ##end_quote## there and then.", "answer": "The 1802"}'
    assert judged(reply, how=replace(task(), reply="json")).answer == "1802"
    assert judged(reply[:-1], how=replace(task(), reply="json")).reason == "no_answer_marker"


def test_five_sentences_are_the_reasoning_that_leads_to_the_verdict():
    how = task("five_sentences")
    text = "The mill was closed. " * 5
    assert judged(text, replace(QUESTION, answers=["yes"]), how=how) == Target("q", "yes", text.strip())
    assert judged(text, replace(QUESTION, answers=[]), how=how) == Target("q", text.strip())
    assert judged("I don't know.", how=how).reason == "refusal"
    assert judged(text + "##Answer: yes", how=how).reason == "marker"


def question_task(**changes) -> QuestionTask:
    return QuestionTask(**small.values("task", "questions") | changes)


def _pairs(how: QuestionTask, reply: LedgerEntry) -> tuple[list[tuple[int, str, str]], Counter[str]]:
    pairs = gate.pairs(how, reply)
    assert isinstance(pairs, tuple)
    return pairs


def test_questions_are_read_from_a_reply_whatever_stands_around_them():
    reply = """Here you are:
1. **Question:** When was the mill of Velmor closed?
   **Answer:** 1802

Q2: Who owned the mill of Velmor?
A2: Anna

Question: What does the passage say about bread?
Answer: it is baked
Question: Which year
Answer: 1802
Question: Who baked the bread there?
Answer: I don't know.
"""
    kept, dropped = _pairs(question_task(), entry(reply))
    assert kept == [(0, "When was the mill of Velmor closed?", "1802"), (1, "Who owned the mill of Velmor?", "Anna")]
    assert dropped == {"points_at_passage": 1, "not_a_question": 1, "refusal": 1}
    assert len(_pairs(question_task(n=1), entry(reply))[0]) == 1


def test_of_questions_that_were_cut_off_the_whole_ones_count():
    one = "Question: When was the mill of Velmor closed?\nAnswer: 1802\n"
    cut = one + "Question: Who owned the mill of Velmor?\nAnswer: An"
    assert [pair[2] for pair in _pairs(question_task(), entry(cut, "length"))[0]] == ["1802"]
    rejected = gate.pairs(question_task(), entry(one.strip(), "length"))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "cut_off"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("no idea", "no_questions"),
        ("", "empty"),
        ("Question: What does the text tell us?\nAnswer: x", "points_at_passage"),
    ],
)
def test_a_reply_without_a_usable_question_says_why(reply, reason):
    rejected = gate.pairs(question_task(), entry(reply))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


@pytest.mark.parametrize(
    ("written", "checked", "same"),
    [
        ("1802", "In 1802.", True),
        ("the town of Velmor", "Velmor", True),
        ("Anna Brow and Tom Cray", "Tom Cray and Anna Brown", True),
        ("1802", "1803", False),
        ("no", "I know", False),
        ("yes", "Yes, in 1802", True),
        ("", "x", False),
    ],
)
def test_two_answers_that_say_the_same(written, checked, same):
    assert gate.same_answer(written, checked, 0.5) is same


def test_all_of_a_task_stands_in_its_key():
    assert set(identity(task())) == set(small.values("task", "cot_answer"))


@pytest.mark.parametrize(
    ("written", "checked", "same"),
    [
        ("张伟", "工程师张伟", True),
        ("张伟", "王芳", False),
        ("オルラン", "技師オルランである", True),
        ("서울", "서울특별시", False),
        ("القاهرة", "في القاهرة", True),
        ("-3 °C", "3 °C", False),
        ("C++", "C#", False),
        ("1,5 mg", "1.5 mg", True),
        ("15 mg", "1.5 mg", False),
    ],
)
def test_answers_of_the_users_own_corpora_agree_by_their_words_in_any_language(written, checked, same):
    assert gate.same_answer(written, checked, 0.6, normalise) == same
    question = replace(QUESTION, answers=[written])
    reply = GOOD.replace("##Answer: 1802.", f"##Answer: {checked}")
    found = gate.validate_reply(task(min_quotes=0), entry(reply), question, GOLD, normalise)
    equal = normalise(written) == normalise(checked)
    assert isinstance(found, Target) == equal
    assert not isinstance(found, Target) or found.answer == written
