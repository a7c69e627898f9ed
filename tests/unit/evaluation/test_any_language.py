"""The user's own corpora are scored in any language, and numbers and signs count; published data sets as published."""

import pytest

from raft_exp.evaluation.metrics import METRICS, Graded, number, profile
from raft_exp.prompts import lenient
from tests.unit.core.test_words import DIFFERENT

RIGHT = [
    ("张伟", "图书馆由工程师张伟设计。"),
    ("オルラン", "図書館は技師オルランが設計した。"),
    ("오를란", "도서관은 기사 오를란이 설계했다."),
    ("أورلان", "صمم المكتبة المهندس أورلان."),
    ("ओर्लान", "पुस्तकालय ओर्लान ने बनाया।"),
    ("ออร์ลัน", "ห้องสมุดออกแบบโดยออร์ลันในปี"),
    ("ஓர்லான்", "நூலகத்தை ஓர்லான் வடிவமைத்தார்."),
    ("ភ្នំពេញ", "រាជធានីគឺភ្នំពេញ។"),
    ("Orlan", "The library was designed by Orlan."),
]


def observed(gold: str, said: str, corpus: str = "documents") -> dict[str, float]:
    normalize = profile(corpus).normalize
    graded = Graded([gold], said, f"##Answer: {said}", normalize, said)
    found: dict[str, float] = {}
    for name in ("exact_match", "f1", "rouge_l", "answer_in_reply", "exact_match_lenient"):
        observe = METRICS[name].observe
        assert observe
        found[name] = number(observe(graded))
    return found


@pytest.mark.parametrize("corpus", ["documents", "passages"])
@pytest.mark.parametrize(("gold", "said"), DIFFERENT)
def test_another_number_or_sign_is_wrong(gold, said, corpus):
    scores = observed(gold, said, corpus)
    assert scores["exact_match"] == scores["exact_match_lenient"] == 0
    assert scores["f1"] < 1
    assert observed(gold, gold, corpus)["exact_match"] == observed(said, said, corpus)["f1"] == 1


@pytest.mark.parametrize(("gold", "sentence"), RIGHT)
def test_right_replies_score_one_and_wrong_ones_nothing(gold, sentence):
    assert set(observed(gold, gold).values()) == {1}
    wrong = next(other for other, _ in RIGHT if other != gold)
    assert set(observed(gold, wrong).values()) == {0}
    assert observed(gold, sentence)["answer_in_reply"] == 1
    assert observed(wrong, sentence)["answer_in_reply"] == 0
    assert 0 < observed(gold, sentence)["f1"] < 1


def test_parts_of_a_sentence_score_partly_in_chinese_and_thai():
    assert 0 < observed("工程师张伟", "张伟")["f1"] < 1
    assert observed("วันจันทร์ตอนเช้า", "วันจันทร์")["rouge_l"] > 0.3


@pytest.mark.parametrize(
    ("gold", "said", "same"),
    [
        ("the Nile", "Nile", 1),
        ("Nile", "The Nile", 1),
        ("a dog", "dog", 1),
        ("Vitamin A", "Vitamin", 0),
        ("A", "the", 0),
    ],
)
def test_articles_before_a_word_do_not_count(gold, said, same):
    assert observed(gold, said)["exact_match"] == same


@pytest.mark.parametrize("corpus", ["hotpotqa", "natural_questions", "pubmedqa", "almanac"])
def test_published_data_sets_are_scored_as_published(corpus):
    assert observed("1.5 mg", "15 mg", corpus)["exact_match"] == 1
    assert observed("C++", "C#", corpus)["exact_match"] == 1
    assert profile(corpus).normalize.name == "as published"
    assert profile("documents").normalize.name != "as published"


@pytest.mark.parametrize("gold", [gold for gold, _ in DIFFERENT if gold not in ("+", "-")])
def test_the_answer_of_any_form_keeps_its_signs(gold):
    normalize = profile("documents").normalize
    for reply in (f"##Answer: {gold}", f"Answer: {gold}", f"**Answer:** {gold}", f"<answer>{gold}</answer>"):
        said = lenient.extract(reply, (), "How much is it?")
        assert normalize(said) == normalize(gold), (reply, said)
