"""Embedded files are no text, and neither are pages of glyphs without letters."""

import base64
import random

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.plausible import no_language

BLOB = base64.b64encode(random.Random(0).randbytes(3_000)).decode()
WRAPPED = "\n".join(BLOB[place : place + 76] for place in range(0, len(BLOB), 76))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", f"Rain fell.\n\n![chart](data:image/png;base64,{BLOB})\n\nIt was dry."),
        (
            "a.md",
            f"Rain fell. ![chart][image1]\n\nIt was dry.\n\n[image1]: <data:image/svg+xml;charset=utf-8;base64,{BLOB}>",
        ),
        ("a.txt", f"Rain fell.\n\n{WRAPPED}\n\nIt was dry."),
        ("a.json", f'{{"text": "Rain fell.", "picture": "{BLOB}", "end": "It was dry."}}'),
        ("a.csv", f"text,picture\nRain fell.,{BLOB}\nIt was dry.,{BLOB}\n"),
        ("a.html", f"<html><p>Rain fell.</p><pre>{WRAPPED}</pre>It was dry."),
    ],
)
def test_files_in_base64_are_left_out_and_counted(name, text):
    _, document = documents.read(name, text.encode())
    found = " ".join(part.text for part in document.parts)
    assert "Rain fell." in found
    assert "It was dry." in found
    assert len(found) < 200
    assert "base64) left out" in document.warnings[-1]


@pytest.mark.parametrize(
    "text", ["ACGT" * 500, "0123456789abcdef" * 50, "a" * 3_000, "LOREM" * 300, "Donaudampfschiff" * 30]
)
def test_long_words_are_no_files(text):
    assert documents.read("a.txt", text.encode())[1].parts[0].text == text


SHIFTED = "L@MNBOF PIG JA@E@Q DE RSTUV WHG @EFDE@@O PIG XOMIEY P?J ZIC@ KOJC [JO\\@MV >?@ GHIHDJE CJ\\@G " * 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SHIFTED, "words with symbols between their letters"),
        ("\ue001\ue002 \ufffd\ufffd\ufffd " * 20, "private-use or replacement characters"),
        (
            "The pump, valve and bolt (of 2024) cost 1.250,50 EUR at Orlan's; e-mail: ann@example.org, and/or AT&T. "
            * 5,
            "",
        ),
        ("Переход к RAG-системам; l'homme d'État, C++ und x_i = y^2 + f(x)/g(x) in Zeile 3. " * 5, ""),
        ("検索拡張生成は文書を使う。" * 20, ""),
    ],
)
def test_text_of_no_language(text, why):
    assert no_language(text) == why
