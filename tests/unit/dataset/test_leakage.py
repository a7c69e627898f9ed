"""Questions inside other texts."""

from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.shingles import units
from raft_exp.dataset.leakage import TextFinder

WORDS = st.lists(st.sampled_from(["when", "was", "it", "the", "mill", "built", "old"]), min_size=1, max_size=9)


class Questions:
    """Questions named by their number."""

    def __init__(self, *texts: str) -> None:
        self._finder = TextFinder((str(number), units(text)) for number, text in enumerate(texts))

    def within(self, text: str) -> list[str]:
        return list(self._finder.within(units(text)))


def test_case_punctuation_and_white_space_make_no_difference():
    found = Questions("When was the mill built?", "Who built it, then?")
    text = "Passage 1: the mill\n\nQuestion:  WHEN was\nthe (mill) built\nAnswer in the form"
    assert found.within(text) == ["0"]


def test_signs_of_any_script_make_no_difference():
    found = Questions("What\u2019s \u201cnew\u201d in \u00c9vora\u2014today?", "¿Qué hay de nuevo?")
    assert found.within("Say: what's new in \u00e9vora - today\u2026 please") == ["0"]
    assert found.within("Dime: Qué hay de nuevo") == ["1"]


def test_questions_of_a_word_or_two_are_not_looked_for():
    assert Questions("Who?", "When then?").within("Who knows when then?") == []


@given(st.lists(WORDS, min_size=1, max_size=5), WORDS, WORDS)
def test_finds_what_a_search_for_each_question_finds(questions, before, after):
    texts = [" ".join(question) for question in questions]
    text = " ".join([*before, *questions[0], *after])
    plain = {
        str(number)
        for number, question in enumerate(texts)
        if len(question.split()) >= 3 and f" {question} " in f" {text} "
    }
    assert set(Questions(*texts).within(text)) == plain
