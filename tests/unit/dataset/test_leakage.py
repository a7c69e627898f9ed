"""Questions inside other texts."""

from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.records import Question
from raft_exp.core.text import normalise
from raft_exp.dataset.leakage import QuestionFinder

WORDS = st.lists(st.sampled_from(["when", "was", "it", "the", "mill", "built", "old"]), min_size=1, max_size=9)


def asked(*texts: str) -> QuestionFinder:
    return QuestionFinder(Question(str(number), text, ["x"], ["p"], "test") for number, text in enumerate(texts))


def test_case_punctuation_and_white_space_make_no_difference():
    found = asked("When was the mill built?", "Who built it, then?")
    text = "Passage 1: the mill\n\nQuestion:  WHEN was\nthe (mill) built\nAnswer in the form"
    assert list(found.within(text)) == ["0"]


def test_signs_of_any_script_make_no_difference():
    found = asked("What\u2019s \u201cnew\u201d in \u00c9vora\u2014today?", "¿Qué hay de nuevo?")
    assert list(found.within("Say: what's new in \u00e9vora - today\u2026 please")) == ["0"]
    assert list(found.within("Dime: Qué hay de nuevo")) == ["1"]


def test_questions_of_a_word_or_two_are_not_looked_for():
    assert list(asked("Who?", "When then?").within("Who knows when then?")) == []


@given(st.lists(WORDS, min_size=1, max_size=5), WORDS, WORDS)
def test_finds_what_a_search_for_each_question_finds(questions, before, after):
    texts = [" ".join(question) for question in questions]
    text = " ".join([*before, *questions[0], *after])
    plain = {
        str(number)
        for number, question in enumerate(texts)
        if len(question.split()) >= 3 and f" {normalise(question)} " in f" {normalise(text)} "
    }
    assert set(asked(*texts).within(text)) == plain
