"""Scanned pages: named without OCR; with it their text is recognised, and the report says so."""

import io

import pytest

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.corpora import open_corpus
from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents import ocr, pdf
from raft_exp.corpora.readers.documents.document import UnreadableError
from raft_exp.corpora.readers.documents.pdf_columns import Piece, in_order
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose

LINES = ["The pump P-204 was serviced", "on 14 March by Orlan Breck.", "It needs a new seal."]


def scan(*pages):
    """A PDF of pictures, a page each; "" gives a page of text."""
    from PIL import Image, ImageDraw, ImageFont

    images = []
    for lines in pages:
        image = Image.new("RGB", (1240, 1754), "white")
        for number, line in enumerate(lines):
            ImageDraw.Draw(image).text((120, 150 + 70 * number), line, "black", ImageFont.load_default(40))
        images.append(image)
    file = io.BytesIO()
    images[0].save(file, "PDF", resolution=150, save_all=True, append_images=images[1:])
    return file.getvalue()


def test_a_scan_is_refused_without_ocr():
    with pytest.raises(
        UnreadableError, match=r"2 of 2 pages are images \(a scan\?\): it needs OCR \(corpus\.ocr=true\)"
    ):
        documents.read("a.pdf", scan(LINES, LINES))


def test_recognised_pages_are_named():
    document = pdf.read(scan(LINES, [], LINES), lambda page: "" if page is None else "\n".join(LINES))
    assert [part.text for part in document.parts] == ["\n".join(LINES)] * 3
    assert document.warnings == ["text recognised by OCR, which may be wrong: pages 1, 2, 3"]
    with pytest.raises(UnreadableError, match="it needs OCR"):
        pdf.read(scan(LINES), lambda page: "")


def test_lines_in_any_order_are_put_in_reading_order():
    """Two columns of lines as OCR gives them: from top to bottom across both, corners in pixels."""
    left = [Piece(100, -110 - 30 * n, 500 - n % 3, -90 - 30 * n, f"left {n}") for n in range(8)]
    right = [Piece(560, -112 - 30 * n, 960 - n % 3, -92 - 30 * n, f"right {n}") for n in range(8)]
    head = Piece(100, -60, 960, -40, "A heading over both")
    mixed = [head, *(piece for pair in zip(right, left, strict=True) for piece in pair)]
    assert in_order(mixed).split("\n") == [piece.text for piece in [head, *left, *right]]


@pytest.mark.slow
def test_a_scan_is_read_in_a_child_process(tmp_path):
    pytest.importorskip("rapidocr", reason="the extra [ocr]")
    (tmp_path / "a.pdf").write_bytes(scan(LINES))
    how = ("corpus=documents", f"corpus.path={tmp_path / 'a.pdf'}", f"store={tmp_path / 'store'}", "corpus.ocr=true")
    limits = ("corpus.limits.memory_mb=2048", "corpus.limits.seconds=300")
    opened = open_corpus(parse(compose(*how, *limits)).corpus)
    (passage,) = opened.passages()
    words = passage.text.split()
    assert {"pump", "P-204", "serviced", "14", "March", "Breck.", "seal."} <= set(words)


def test_it_is_refused_where_it_cannot_work(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("Text.")
    how = ("corpus=documents", f"corpus.path={tmp_path / 'a.txt'}", f"store={tmp_path / 'store'}", "corpus.ocr=true")
    with pytest.raises(ConfigError, match=r"got corpus\.limits\.memory_mb=1024.*set corpus\.limits\.memory_mb=2048"):
        parse(compose(*how))
    monkeypatch.setattr(ocr, "LIBRARIES", {"no_such_module": "rapidocr"})
    with pytest.raises(DataError, match=r"corpus\.ocr=true: needs rapidocr; run pip install 'raft_exp\[ocr\]'"):
        list(open_corpus(parse(compose(*how, "corpus.limits.memory_mb=2048")).corpus).passages())
