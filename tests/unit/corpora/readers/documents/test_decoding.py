"""Bytes become text as they were meant, or a warning says what was made of them."""

import pytest

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import UnreadableError

FRENCH = "Le café du théâtre à Strasbourg coûte 12 £ – naïve façade, “œuvre”. "
RUSSIAN = "Привет, мир. Это простой текст на русском языке, который нужно прочитать. "
JAPANESE = "検索拡張ファインチューニングは、検索した文書を使って質問に答えるようにモデルを訓練する方法です。"
CHINESE = "这是一个简单的中文文本，用来测试编码检测。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_without_a_guess(encoding):
    assert decode((FRENCH * 3).encode(encoding)) == (FRENCH * 3, [])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH * 5, "cp1252"),
        ("Señor, a café.", "cp1252"),
        ("He said “no”—it’s 20°. ", "cp1252"),
        ("Die Größe der Fläche beträgt fünf Meter. " * 4, "cp1252"),
        (RUSSIAN * 5, "cp1251"),
        (JAPANESE * 3, "shift_jis"),
        (CHINESE * 6, "gbk"),
    ],
)
def test_an_older_encoding_is_guessed_and_said(text, encoding):
    found, warnings = decode(text.encode(encoding))
    assert found == text
    assert "which is a guess" in warnings[0]


def test_what_is_declared_holds_where_it_can():
    assert decode("Žluťoučký kůň".encode("cp1250"), "windows-1250") == ("Žluťoučký kůň", [])
    text, (warning,) = decode("Crème brûlée à la carte".encode("cp1252"), "utf-8")
    assert text == "Crème brûlée à la carte"
    assert warning.startswith("decoded as not utf-8, as it declares, but cp1252")
    assert decode(FRENCH.encode(), "iso-8859-1") == (FRENCH, []), "what is valid UTF-8 is UTF-8"
    assert decode(b"plain", "no-such-encoding") == ("plain", [])


def test_wrong_bytes_in_utf8_are_counted_and_the_rest_is_kept():
    text, (warning,) = decode((FRENCH * 3).encode() + b"\xff\xfe\x80 and on")
    assert text == FRENCH * 3 + "\ufffd\ufffd\ufffd and on"
    assert warning == "UTF-8 with 3 wrong bytes, which became U+FFFD"


def test_line_ends_become_one_kind_and_controls_go():
    text, (warning,) = decode(b"a\r\nb\rc\n" + b"words " * 100 + b"\x00")
    assert text == "a\nb\nc\n" + "words " * 100
    assert warning == "1 control characters were left out"


def test_signs_of_many_scripts_stay_as_they_are():
    text = "é \u202eoverride\u202c; 🧬👨\u200d👩\u200d👧; zero\u200bwidth; \ufeffinner; 𝓐; مرحبا; สวัสดี"
    assert decode(text.encode()) == (text, [])


def test_what_is_no_text_is_not_invented():
    with pytest.raises(UnreadableError, match="not decoded"):
        decode(bytes(range(128, 256)) * 4)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_plain_letters_in_utf_16_without_its_mark_are_text(encoding):
    assert decode("A plain line.\r\nAnother.".encode(encoding)) == ("A plain line.\nAnother.", [])
