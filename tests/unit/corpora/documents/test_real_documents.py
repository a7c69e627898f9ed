"""Real files of every format, and real defects, each as its manifest says."""

import json

import pytest

from raft_exp.corpora import open_corpus
from raft_exp.corpora.documents import Documents
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose

# What comes of each broken file: why it is not read, or what is said beside its text ("" for nothing).
NOT_READ = {
    "truncated.pdf": "damaged",
    "encrypted_user_password.pdf": "encrypted",
    "blank_page_no_text.pdf": "no text",
    "image_only_scan.pdf": "no text",
    "truncated.docx": "damaged",
    "missing_document_xml.docx": "damaged",
    "malformed_xml.docx": "damaged",
    "truncated.pptx": "damaged",
    "empty.pdf": "empty",
    "empty.docx": "empty",
    "empty.txt": "empty",
    "whitespace_only.txt": "empty",
    "unsupported.bin": "unsupported",
}
READ = {
    "garbage_inside.pdf": "no text: pages 2, 3, 4",
    "encrypted_owner_only.pdf": "",
    "docx_renamed.pdf": "is a Word file",
    "pdf_renamed.docx": "is a PDF file",
    "html_renamed.txt": "is an HTML page",
    "big_expansion.docx": "",
    "latin1.txt": "decoded as cp1252, which is a guess",
    "utf16le_bom.txt": "",
    "utf8_bom.md": "",
    "shift_jis.txt": "decoded as cp932, which is a guess",
    "invalid_utf8.txt": "UTF-8 with 3 wrong bytes",
    "nul_bytes.txt": "3 control characters were left out",
    "one_huge_line.txt": "",
    "no_break_blob.txt": "",
    "crlf_and_cr.txt": "",
    "unicode_mix.txt": "",
    "malformed.html": "",
    "wrong_charset.html": "decoded as not utf-8",
    "deeply_nested.html": "",
    "marker_collision.md": "",
}


@pytest.fixture(scope="module")
def found(test_data, tmp_path_factory):
    """(bad files, documents, {document: its text}) of all that is there; each alone, as many are copies."""
    folder, store = test_data / "documents", tmp_path_factory.mktemp("store")
    bad, documents, texts = {}, {}, {}
    for part in ("ok", "broken"):
        how = ("corpus=documents", f"corpus.path={folder / part}", f"store={store}", "corpus.chunk.overlap=0")
        opened = open_corpus(parse(compose(*how)).corpus)
        assert isinstance(opened, Documents)
        for passage in opened.passages():
            name = f"{part}/{passage.document_id}"
            texts[name] = f"{texts.get(name, '')} {passage.text}"
        assert opened.report is not None
        bad |= {f"{part}/{name}": why for name, why in opened.report.bad.items()}
        documents |= {f"{part}/{name}": told for name, told in opened.report.documents.items()}
    return bad, documents, texts


def manifest(test_data, kind):
    return [row for row in json.loads((test_data / "documents" / "manifest.json").read_text()) if row["kind"] == kind]


def plain(text):
    return "".join(text.split())


@pytest.mark.slow
def test_every_good_file_gives_its_text(test_data, found):
    bad, documents, texts = found
    for row in manifest(test_data, "ok"):
        name = row["file"]
        assert name not in bad
        assert not documents[name]["warnings"]
        for wanted in row["must_contain"]:
            assert plain(wanted) in plain(texts[name]), name
        if not documents[name]["duplicates"] and not documents[name]["near_duplicates"]:
            assert len(texts[name]) > 0.85 * row["text_chars_reference"], name


@pytest.mark.slow
def test_every_bad_file_ends_as_it_should(test_data, found):
    bad, documents, texts = found
    rows = manifest(test_data, "broken")
    assert {row["file"].removeprefix("broken/") for row in rows} == NOT_READ.keys() | READ.keys()
    for row in rows:
        name, own = row["file"], row["file"].removeprefix("broken/")
        if own in NOT_READ:
            assert bad[name]["reason"] == NOT_READ[own], name
            continue
        told = documents[name]
        assert READ[own] in " ".join(told["warnings"]), name
        assert bool(READ[own]) == bool(told["warnings"]), name
        if told["duplicates"]:
            continue  # its text stands in another file too
        for wanted in row.get("must_contain", []):
            assert wanted in " ".join(texts[name].split()), name
        for unwanted in row.get("must_not_contain", []):
            assert unwanted not in texts[name], name


@pytest.mark.slow
def test_text_arrives_as_it_was_meant(found):
    _, _, texts = found
    assert "café du théâtre" in texts["broken/latin1.txt"]
    assert "検索拡張" in texts["broken/shift_jis.txt"]
    assert "Crème brûlée" in texts["broken/wrong_charset.html"]
    assert "\ufffd\ufffd\ufffdtestant" in texts["broken/invalid_utf8.txt"]
    assert "\r" not in texts["broken/crlf_and_cr.txt"]
    assert "👨\u200d👩\u200d👧; zero\u200bwidth; \ufeffinner BOM" in texts["broken/unicode_mix.txt"]
    assert not texts["broken/utf8_bom.md"].strip().startswith("\ufeff")
    assert "needle" in texts["broken/deeply_nested.html"].lower()


@pytest.mark.slow
def test_places_can_be_cited(test_data, tmp_path):
    how = ("corpus=documents", f"corpus.path={test_data / 'documents' / 'ok'}", f"store={tmp_path}")
    places = {}
    for passage in open_corpus(parse(compose(*how)).corpus).passages():
        places.setdefault(passage.document_id, []).append(passage.place)
    assert places["pdf/GeoTopo-117-pages-german.pdf"][-2].startswith("page 1")
    assert places["pdf/GeoTopo-117-pages-german.pdf"][-1] == "section page headers and footers"
    assert places["pptx/powerpoint_sample.pptx"] == ["slide 1", "slide 2", "slide 3"]
    assert "section Etymology" in places["html/wiki_duck.html"]
    assert "section 1910s–1950s" in places["markdown/wiki_ibm.md"]
