"""One idea of a word: any language, and numbers and signs count."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.scripts import without_dictionary
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.core.words import count, indexed, scored, searched

DIFFERENT = [
    ("1.5 mg", "15 mg"),
    ("-3 °C", "3 °C"),
    ("−3", "3"),
    ("C++", "C#"),
    ("C++", "C"),
    ("10.5%", "105"),
    ("10%", "10"),
    ("2-3 days", "23 days"),
    ("$4.20", "420"),
    ("$5", "€5"),
    ("1/2", "12"),
    ("½", "12"),
    ("1½", "11/2"),
    ("10²", "102"),
    ("10^-3", "10^3"),
    ("v1.10", "v1.1.0"),
    ("20:15", "2015"),
    ("+", "-"),
    ("O+", "O-"),
    ("O-", "O"),
    ("<5", ">5"),
    (".5", "5"),
    ("5 mg", "5 g"),
    ("Cl-", "Cl"),
    ("18+", "18"),
    ("1,5", "15"),
    ("1,500", "1.5"),
    ("1,500", "1.500"),
    ("1,5", "1.50"),
    ("1,2,3", "1.2.3"),
    ("1,2,3", "123"),
    ("0,125", "0125"),
    ("1.234,5", "1.2345"),
    ("3,14", "314"),
    ("-1,5", "1,5"),
    ("1.234.567", "1.234567"),
    ("p<0.05", "p>0.05"),
    ("p<0.05", "p 0.05"),
    ("x=5", "x≠5"),
    ("NO3-", "NO3"),
    ("SO₄²⁻", "SO42"),
    ("B♭", "B"),
    ("√2", "2"),
    ("60′", "60″"),
    ("2+2", "2-2"),
    ("2+2", "22"),
    ("5 $", "5 €"),
    ("K > Na", "K < Na"),
    ("1 000", "1"),
    ("10 200", "10200"),
]
EQUAL = [
    ("1,000", "1000"),
    ("1\u00a0000", "1000"),
    ("1½", "1 1/2"),
    ("10 %", "10%"),
    ("5mg", "5 mg"),
    ("5 €", "€5"),
    ("–3", "-3"),
    ("−3 ℃", "-3 °C"),
    ("≥ 5", ">= 5"),
    ("2–3", "2-3"),
    ("+3", "3"),
    ("١٨٤٢", "1842"),
    ("१८४२", "1842"),
    ("U.S.", "US"),
    ("oﬃce", "office"),
    ("ＡＢＣ", "abc"),
    ("so\u00adft", "soft"),
    ("İstanbul", "istanbul"),
    ("Straße", "STRASSE"),
    ("مُحَمَّد", "محمد"),
    ("ทํา", "ทำ"),
    ("**Paris**.", "paris"),
    ("COVID-19", "covid 19"),
    ("1,5 mg", "1.5 mg"),
    ("1,5mg", "1.5 mg"),
    ("−0,75 %", "-0.75%"),
    ("0,125", "0.125"),
    ("3,14159", "3.14159"),
    ("1.234,50 €", "€1234.50"),
    ("1.234.567", "1,234,567"),
    ("1.234.567,8", "1234567.8"),
    ("1\u202f234,5", "1234.5"),
    ("1'234.5", "1234.5"),
    ("12,34,567", "1234567"),
    ("١٫٥", "1.5"),
    ("١٬٠٠٠", "1000"),
    ("१,००,०००", "100000"),
    ("1，5", "1.5"),
    ("1,5/2,5", "1.5/2.5"),
    ("5,25-7,5", "5.25-7.5"),
    ("p<0.05", "p < .05"),
    ("F♯", "F#"),
    ("5 $", "$5"),
    ("10 000", "10,000"),
    ("1 250 000", "1250000"),
    ("A4- und A5-Papier", "A4 und A5 Papier"),
    ("Ph.D.", "PhD"),
    ("أحمد", "احمد"),
    ("علي‌رضا", "علی‌رضا"),
    ("Пётр", "Петр"),
    ("ΟΡΛΆΝ", "Ορλάν"),
    ("ΟΡΛΑΝ", "Ορλάν"),
    ("IĞDIR", "Iğdır"),
    ("เเละ", "และ"),
]


@pytest.mark.parametrize("form", [searched, scored])
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_numbers_and_signs_count(one, other, form):
    assert form(one) != form(other)
    assert form(f"It is {one} here.") != form(f"It is {other} here.")


@pytest.mark.parametrize("form", [searched, scored])
@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_forms_of_one_word_are_equal(one, other, form):
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("answer", "text", "stands"),
    [
        ("C++", "Vitamin C is sour.", False),
        ("C++", "She writes C++.", True),
        ("-3", "There were 3 boats.", False),
        ("-3", "It fell to -3 °C.", True),
        ("O+", "He is of type O.", False),
        ("1.5", "In 1 of 5 cases; see 1-5.", False),
        ("1.5", "a dose of 1.5mg", True),
        ("3", "2-3 days", True),
        ("3", "3.5 days", False),
        ("张伟", "图书馆由工程师张伟设计", True),
        ("张", "工程师王芳设计", False),
        ("オルラン", "技師オルランが設計した", True),
        ("오를란", "기사 오를란이 설계했다", True),
        ("오를란", "기사 오를란드가 설계했다", False),
        ("1842년", "1842년에 완성되었다", True),
        ("AI", "AI를 배운다", True),
        ("กาแฟ", "เขาดื่มกาแฟทุกวัน", True),
        ("ก", "กินข้าว", False),
        ("ភ្នំពេញ", "រាជធានីភ្នំពេញធំ", True),
        ("हिन्दी", "वह हिन्दी बोलता है", True),
        ("हिन्द", "वह हिन्दी बोलता है", False),
        ("1842", "建于1842年。", True),
        ("أورلان", "صمم المكتبة المهندس أورلان.", True),
        ("no", "no", False),
        ("القاهرة", "بنيت المكتبة بالقاهرة.", True),
        ("القاهرة", "وصل القطار للقاهرة", True),
        ("القاهرة", "زار فيلمور والقاهرة", True),
        ("القاهرة", "قاهرة", False),
        ("أورلان", "صممها لأورلان", True),
        ("ولد", "في بولدر", False),
        ("ירושלים", "היא הושלמה בירושלים.", True),
        ("ירושלים", "ומירושלים יצא", True),
        ("ירושלים", "ירושלימה", False),
        ("5", "<b>5</b>", True),
        ("p<0.05", "p < 0.05, n=5", True),
    ],
)
def test_an_answer_is_found_as_whole_words(answer, text, stands):
    pattern = answer_pattern([answer])
    assert bool(pattern and pattern.search(text)) == stands


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("图书馆是谁设计的？", ["图书", "馆", "是", "谁", "设计", "的"]),
        ("ภาษาไทยง่ายมาก", ["ภาษา", "ไทย", "ง่าย", "มาก"]),
        ("도서관은 누가 설계했는가?", ["도서관", "누가", "설계했는"]),
        ("तमिल में", ["तमिल", "में"]),
        ("cafe\u0301 1.5%", ["café", "1.5", "%"]),
    ],
)
def test_a_search_engine_gets_words(text, words):
    assert indexed(text) == words


def test_words_are_counted_in_any_script():
    assert count("The library was designed.") == 4
    assert count("图书馆由工程师张伟设计。") > 5
    assert count("1842년이다") == 2 or count("1842년이다") == 1


def test_scripts_whose_words_nothing_knows_are_named():
    assert without_dictionary("ꦲꦏ꧀ꦱꦫꦗꦮ and English") == {"Javanese"}
    assert not without_dictionary("图书馆 ภาษา ខ្មែរ ລາວ မြန်မာ English")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(texts)
def test_unicode_forms_and_case_do_not_count(text):
    for form in ("NFC", "NFD"):
        assert searched(unicodedata.normalize(form, text)) == searched(text)


@given(
    st.decimals(0, 10_000, places=3), st.decimals(0, 10_000, places=3), st.sampled_from(["mg", "°C", "%", "", "km/h"])
)
def test_other_numbers_are_other_words(one, other, unit):
    assert (scored(f"{one} {unit}") == scored(f"{other} {unit}")) == (str(one) == str(other))
    assert scored(f"-{one} {unit}") != scored(f"{one} {unit}")


def german(number: str) -> str:
    return number.translate(str.maketrans(",.", ".,"))


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 6))
def test_a_number_is_one_in_english_and_in_german_unless_both_read_it(whole, part, places):
    english = f"{whole:,}" + (f".{part:0{places}d}"[: places + 1] if places else "")
    plain = english.replace(",", "")
    assert scored(f"{english} kg") == scored(f"{plain} kg")
    both_read = (english.count(",") == 1 and not places) or (places == 3 and "," not in english and whole)
    if not both_read:
        assert scored(f"{german(english)} kg") == scored(f"{plain} kg")
    elif places:
        assert scored(german(english)) == scored(english.replace(".", "")), "1,234 is 1234"
    else:
        assert scored(german(english)) != scored(plain), "1.234 is not 1234"


numbers = st.from_regex(r"[1-9][0-9]{0,5}([.,][0-9]{1,5})?", fullmatch=True)


@pytest.mark.slow
@given(numbers, numbers)
def test_numbers_of_other_digits_are_other_words(one, other):
    if one.replace(",", "").replace(".", "") != other.replace(",", "").replace(".", ""):
        assert scored(f"{one} g") != scored(f"{other} g")


SCRIPTS = {"han": (0x4E00, 0x9FA5), "kana": (0x30A1, 0x30FA), "hangul": (0xAC00, 0xD7A3), "thai": (0xE01, 0xE2E)}
SCRIPTS |= {"khmer": (0x1780, 0x17A2), "arabic": (0x627, 0x63A), "devanagari": (0x915, 0x939), "tamil": (0xB95, 0xBB9)}


@pytest.mark.parametrize("script", SCRIPTS)
@given(st.data())
def test_an_answer_is_found_between_other_words(script, data):
    first, last = SCRIPTS[script]
    letters = st.text(st.characters(min_codepoint=first, max_codepoint=last, categories=["Lo"]), min_size=2, max_size=6)
    before, answer, after = data.draw(letters), data.draw(letters), data.draw(letters)
    joined = "" if script in ("han", "kana", "thai", "khmer") else " "
    pattern = answer_pattern([answer])
    assert pattern
    assert pattern.search(f"{before}{joined}{answer}{joined}{after}。")
    assert normalise(answer) in normalise(f"{before} {answer}")
