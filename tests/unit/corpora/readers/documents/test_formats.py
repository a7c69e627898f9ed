"""One format after another, on files made here: text, title and places; and what a file is found to be."""

import io
import json
import zipfile

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import Part, UnreadableError
from tests.helpers import documents as made


def read(name, data):
    return documents.read(name, data.encode() if isinstance(data, str) else data)


def parts(name, data):
    return read(name, data)[1].parts


def refusal(name, data):
    with pytest.raises(UnreadableError) as refused:
        read(name, data)
    return refused.value.reason, refused.value.detail


def test_pdf_gives_pages_without_line_end_hyphens():
    kind, document = read("a.pdf", made.pdf("The first page.", "", "The third page."))
    assert kind == "pdf"
    assert document.parts == [Part("The first page.", "page", "1"), Part("The third page.", "page", "3")]
    assert document.warnings == ["no text: page 2"]


def test_word_gives_sections_tables_and_what_stands_in_controls():
    kind, document = read("a.docx", made.docx())
    assert (kind, document.title) == ("docx", "A report")
    assert document.parts == [
        Part("A report\n\nBefore.", "section", "A report"),
        Part("Methods\n\nSampling\n\nWe sampled.\n\nControlled.", "section", "Methods > Sampling"),
        Part("Results\n\ntown | year\nVelmor | 1912", "section", "Results"),
    ]


def test_powerpoint_gives_slides_with_tables_and_notes():
    kind, document = read("a.pptx", made.pptx())
    assert kind == "pptx"
    assert document.parts == [
        Part("Towns\n\nVelmor lies inland.\n\nNotes: Say more.", "slide", "1"),
        Part("town | year\nVelmor | 1912", "slide", "3"),
    ]


PAGE = """<!doctype html><html><head><title>Old &amp; new</title><style>p {color: red}</style></head><body>
<nav>Home</nav><p>Before<br>all.<p>More <b>bold</b>ly &mdash; told.<script>var hidden = 1;</script>
<div hidden>unseen</div><h2>Rivers <i>and</i> lakes</h2><ul><li>Ister</ul><li>Oder<table><tr><td>a<td><p>b</p></table>
<pre>x\n  y</pre><!-- a comment -->"""


def test_html_gives_what_is_seen_by_headings():
    kind, document = read("a.html", PAGE)
    assert (kind, document.title) == ("html", "Old & new")
    assert document.parts == [
        Part("Before\nall.\n\nMore boldly — told."),
        Part("Rivers and lakes\n\nIster\nOder\na | b\n\nx\n  y", "section", "Rivers and lakes"),
    ]


MARKDOWN = """---
title: "From the front"
---
Before.

# Top

Under
=====

## *Deep* `er`
Text with [a link](x).
```
# no heading
```
"""


def test_markdown_stays_as_it_is_written_by_headings():
    _, document = read("a.md", MARKDOWN)
    assert document.title == "From the front"
    assert document.parts == [
        Part("Before."),
        Part(
            "# Top\n\nUnder\n=====\n\n## *Deep* `er`\n\nText with [a link](x).\n```\n# no heading\n```",
            "section",
            "Under > Deep er",
        ),
    ]


def test_text_gives_paragraphs():
    assert parts("a.txt", "One.\r\nStill one.\r\n \r\n\r\nTwo.\n") == [
        Part("One.\nStill one.", "paragraph", "1"),
        Part("Two.", "paragraph", "2"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables_give_rows_under_their_names(delimiter):
    lines = ["name", "told"], ["Velmor", '"a ""b"",\nc"'], ["", ""], ["Oder", "", "more"]
    table = "\n".join(delimiter.join(cells) for cells in lines)
    found = parts("a.tsv" if delimiter == "\t" else "a.csv", table)
    assert [part.label for part in found] == ["2", "4"]
    assert found[0].text == 'name: Velmor; told: a "b",\nc'
    assert found[1].text == "name: Oder; column 3: more"


def test_marks_that_do_not_match_lose_no_row():
    _, document = read("a.csv", 'a,b\n1,"never closed\n2,3\n')
    assert [part.text for part in document.parts] == ['a: 1; b: "never closed', "a: 2; b: 3"]
    assert "quotation marks that do not match" in document.warnings[0]


RECORDS = [{"name": "Velmor", "of": {"year": 1912, "tags": ["inland", None, True]}}, {"name": "Oder"}]
TOLD = ["name: Velmor\nof.year: 1912\nof.tags: inland\nof.tags: true", "name: Oder"]


@pytest.mark.parametrize(
    "data",
    [json.dumps(RECORDS), "\n\n".join(map(json.dumps, RECORDS)), json.dumps(RECORDS, indent=1)],
    ids=["array", "lines", "indented"],
)
def test_json_gives_records(data):
    assert parts("a.json", data) == [Part(text, "record", str(number)) for number, text in enumerate(TOLD, start=1)]


def test_json_takes_an_object_of_records_and_a_lone_value():
    assert [part.text for part in parts("a.json", '{"k1": {"a": 1}, "k2": {"a": 2}}')] == ["k1\na: 1", "k2\na: 2"]
    assert [part.text for part in parts("a.json", '{"a": 1, "b": {"c": "x"}}')] == ["a: 1\nb.c: x"]
    assert [part.text for part in parts("a.jsonl", '"one"\n["two", "three"]')] == ["one", "two\nthree"]


@pytest.mark.parametrize(
    ("name", "data", "reason", "told"),
    [
        ("a.xyz", b"x", "unsupported", ".docx"),
        ("a", b"x", "unsupported", ".docx"),
        ("a.txt", b"", "empty", "0 bytes"),
        ("a.docx", b" \n\t", "empty", "white space"),
        ("a.txt", "\ufeff \u2003\n".encode(), "empty", "white space"),
        ("a.pdf", b"only words", "not what its suffix says", "not a pdf file: it begins with b'only words'"),
        ("a.pdf", b"\x89PNG\r\n", "not what its suffix says", "a PNG image"),
        ("a.txt", b"\x1f\x8b\x08\x00", "not what its suffix says", "gzipped"),
        ("a.txt", bytes(range(256)) * 9, "not what its suffix says", "binary data"),
        ("a.docx", b"{\\rtf1 x}", "not what its suffix says", "RTF"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "unsupported", "before 2007"),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted",
            "password",
        ),
        ("a.pdf", b"%PDF-1.7 cut", "damaged", "a PDF that cannot be opened"),
        ("a.docx", b"PK\x03\x04 cut", "damaged", "zip archive that is cut off"),
        ("a.docx", made.zipped({"x.txt": b"x"}), "damaged", "a zip archive"),
        ("a.docx", made.zipped({"xl/workbook.xml": b"x"}), "not what its suffix says", "Excel"),
        ("a.docx", made.zipped({"word/x.xml": b"x"}), "damaged", "There is no item named"),
        ("a.csv", b"name,told\n", "no text", "holds no text"),
        ("a.html", b"<html><script>x</script></html>", "no text", "holds no text"),
        ("a.pdf", made.pdf("", ""), "no text", "pages 1, 2"),
        ("a.json", b'{"a": 1', "damaged", "no JSON"),
        ("a.json", b'{"a": 1}\n{"a": ', "damaged", "line 2 is not JSON"),
        ("a.json", b"[" * 100_000 + b"]" * 100_000, "damaged", "nested too deeply"),
    ],
)
def test_what_cannot_be_read_says_why(name, data, reason, told):
    found, detail = refusal(name, data)
    assert found == reason
    assert told in detail
    assert "\n" not in detail
    assert " at 0x" not in detail, "would be another one every time"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.pdf", made.docx(), "docx"),
        ("a.docx", made.pptx(), "pptx"),
        ("a.txt", made.pdf("A page of text."), "pdf"),
        ("a.txt", b"<!DOCTYPE html><p>Seen</p>", "html"),
        ("a.pdf", b"\n<html><p>Seen</p>", "html"),
    ],
)
def test_what_a_file_is_counts_more_than_its_suffix(name, data, kind):
    found, document = read(name, data)
    assert found == kind
    assert "and was read as one" in document.warnings[0]


def test_a_file_with_a_lock_on_it_is_encrypted():
    archive = io.BytesIO(made.docx())
    locked = io.BytesIO()
    with zipfile.ZipFile(archive) as plain, zipfile.ZipFile(locked, "w") as made_again:
        for member in plain.infolist():
            made_again.writestr(member.filename, plain.read(member))
    data = bytearray(locked.getvalue())
    for place in range(len(data)):  # the flag of an encrypted member, in the directory at the end
        if data[place : place + 4] == b"PK\x01\x02":
            data[place + 8] |= 1
    assert refusal("a.docx", bytes(data))[0] == "encrypted"


def test_deep_nesting_is_no_recursion():
    assert [part.text for part in parts("a.html", "<div>" * 20_000 + "needle" + "</div>" * 20_000)] == ["needle"]
    assert "needle" in parts("a.md", ">" * 5_000 + " needle")[0].text


def test_a_layout_of_spaces_is_drawn_together():
    (part,) = parts("a.txt", "a" + " " * 100_000 + "b")
    assert part.text == "a" + " " * 64 + "b"


def test_mails_give_attached_texts_and_forwarded_mails():
    from email.message import EmailMessage

    inner = EmailMessage()
    inner["From"], inner["Subject"] = "in@x.org", "Inner"
    inner.set_content("Forwarded.")
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@x.org", "Outer"
    mail.set_content("Body.")
    mail.add_attachment("Attached.", filename="n.txt")
    mail.add_attachment(inner)
    mail.add_attachment(b"x", maintype="image", subtype="png", filename="a.png")
    _, document = read("a.eml", mail.as_bytes())
    assert [(part.label, part.text.split("\n\n")[-1].strip()) for part in document.parts] == [
        ("", "Body."),
        ("attachment n.txt", "Attached."),
        ("mail Inner", "Forwarded."),
    ]
    assert document.warnings == ["1 attachment not read"]
    calendar = b"From: a@x.org\nSubject: cal\nContent-Type: text/calendar\n\nSUMMARY:Meet\n"
    assert "SUMMARY:Meet" in parts("a.eml", calendar)[0].text


def test_notebooks_give_outputs_of_each_form():
    outputs = [
        {"data": {"text/html": "<table><tr><th>p</th></tr><tr><td>1</td></tr></table>", "text/plain": "   p"}},
        {"data": {"text/html": "<b>only a page</b>"}},
        {"data": {"text/markdown": "**only markdown**"}},
        {"data": {"application/json": {"k": 1}}},
        {"ename": "ValueError", "evalue": "bad \x1b[31mred"},
        {"text": "``` fence\n# no heading"},
    ]
    cells = [
        {"cell_type": "code", "source": "x", "outputs": outputs},
        {"cell_type": "code", "source": "y", "outputs": None},
    ]
    _, document = read("a.ipynb", json.dumps({"cells": cells}))
    (part,) = document.parts
    wanted = ["x", "p\n1", "only a page", "**only markdown**", "ValueError: bad red", "``` fence\n# no heading", "y"]
    assert all(text in part.text for text in wanted), part.text
    assert document.warnings == ["1 output not read"]
    old = {
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 1, "source": "Old"},
                    {"cell_type": "code", "input": ["z = 1"]},
                ]
            }
        ]
    }
    assert parts("a.ipynb", json.dumps(old)) == [Part("# Old\n\n```\nz = 1\n```", "section", "Old")]


def test_paragraphs_of_xml_keep_their_text_around_notes_and_code():
    code = "<programlisting>a\n  b</programlisting>"
    text = f"<para>One <fn><p>note</p></fn> two.</para><para>Do {code} so.</para>"
    assert (
        parts("a.xml", f"<section><title>S</title>{text}</section>")[0].text
        == "S\n\nOne note two.\n\nDo\n\na\n  b\n\nso."
    )


def test_records_with_the_name_of_a_paragraph_are_records():
    text = "<note><to>Tove</to><from>Jani</from></note>"
    assert parts("a.xml", text)[0].text == "to: Tove\nfrom: Jani"
    assert parts("a.xml", "<r><p><b>a</b><i>b</i></p></r>")[0].text == "ab"


def test_attributes_of_xml_are_values_and_entities_are_counted():
    _, document = read(
        "a.xml",
        '<!DOCTYPE l [<!ENTITY e "x">]><r><i name="bolt" id="7"/><price currency="EUR">3</price><p>a &e; b</p></r>',
    )
    assert document.parts[0].text == "i (name: bolt)\nprice (currency: EUR): 3\n\na b"
    assert document.warnings == ["1 entity not read"]


@pytest.mark.parametrize(
    ("start", "form", "shown"), [("1", "1", "1."), ("501", "1", "501."), ("1000000", "a", "1000000.")]
)
def test_a_list_of_an_opendocument_starts_at_its_own_number(start, form, shown):
    names = {"text": "text", "office": "office", "style": "style"}
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for short, name in names.items()
    )
    level = f'<text:list-level-style-number text:level="1" style:num-format="{form}" style:num-suffix="."/>'
    item = "<text:list-item><text:p>Unpack.</text:p></text:list-item>"
    content = (
        f'<office:document-content {spaces}><text:list-style style:name="L">{level}</text:list-style><office:body>'
        f'<office:text><text:list text:style-name="L" text:start-value="{start}">{item}</text:list></office:text>'
        "</office:body></office:document-content>"
    )
    file = made.zipped({"content.xml": content.encode()})
    assert [part.text for part in documents.read("a.odt", file)[1].parts] == [f"{shown} Unpack."]
