"""PDF files: form values, pages of no language, hyphens, ligatures, headers and footers that repeat."""

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import UnreadableError
from raft_exp.corpora.readers.documents.pdf_pages import joined, without_running_lines
from tests.helpers import documents as made


def read(data):
    return documents.read("a.pdf", data)[1]


FIELDS = (
    "<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]/FT/Tx/T(name)/TU(Name of the applicant)/V(Orlan Breck)>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 10 9 19]/FT/Tx/T(litres)/V(4200)>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 20 9 29]/FT/Tx/T(empty)>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 30 9 39]/FT/Tx/Ff 8192/T(secret)/V(hunter2)>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 40 9 49]/FT/Btn/T(agree)/V/Yes/AS/Yes/AP<</N<</Yes null/Off null>>>>>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 50 9 59]/FT/Btn/T(rent)/V/Off/AS/Off/AP<</N<</Yes null/Off null>>>>>>",
    "<</Type/Annot/Subtype/Widget/Rect[0 60 9 69]/FT/Ch/Ff 131072/T(colour)/Opt[(red)(blue)]/V(blue)>>",
    "<</Type/Annot/Subtype/FreeText/Rect[0 70 9 79]/Contents(Typed on the page.)/DA(/Helv 9 Tf)>>",
    "<</Type/Annot/Subtype/Text/Rect[0 80 9 89]/Contents(Check this.)>>",
)


def test_form_fields_are_read_with_their_names_and_notes_are_counted():
    document = read(made.pdf("Application for water", notes=FIELDS))
    assert document.parts[0].text.split("\n") == [
        "Application for water",
        "Name of the applicant: Orlan Breck",
        "litres: 4200",
        "agree: yes",
        "rent: no",
        "colour: blue",
        "Typed on the page.",
    ]
    assert document.warnings == ["1 comment not read"]


SHIFTED = "L@MNBOF PIG JA@E@Q DE RSTUV WHG @EFDE@@O PIG XOMIEY P?J ZIC@ KOJC [JO@MV >?@ GHIHDJE CJ@G " * 2


def test_pages_of_no_language_are_named_and_a_file_of_them_is_refused():
    document = read(made.pdf("A page of plain text.", SHIFTED, "A page of plain text too."))
    assert [part.label for part in document.parts] == ["1", "3"]
    assert document.warnings == ["text of no language, not read (fonts without letters: needs OCR): page 2"]
    with pytest.raises(UnreadableError, match=r"2 of 2 pages hold signs inside words.*OCR") as refused:
        read(made.pdf(SHIFTED, SHIFTED))
    assert refused.value.reason == "garbled"


def test_glyphs_without_letters_are_no_text():
    with pytest.raises(UnreadableError, match="glyphs without letters"):
        read(made.pdf("".join(f"\\{code:03o}" for code in range(1, 8)) * 20))


def test_hyphens_go_where_the_joined_word_stands_elsewhere():
    pages = ["The infor\x02\nmation on cross\x02\nborder trade.", "Information is of the well\ufffeknown kind."]
    assert joined(pages) == ["The information on cross-border trade.", "Information is of the well-known kind."]


def test_ligatures_are_letters():
    assert joined(["The ofﬁce of aﬀairs, ﬂat eﬃcient."]) == ["The office of affairs, flat efficient."]


def test_headers_and_footers_that_repeat_stand_once():
    pages = [
        f"Annual report {2024}\nText {n} of its own\nmore\nand more\nlast words {n}x\nPage {n} of 4"
        for n in range(1, 5)
    ]
    kept, removed = without_running_lines(pages)
    assert removed == ["Annual report 2024", "Page 1 of 4"]
    assert all("Annual" not in page and "of 4" not in page for page in kept)
    assert without_running_lines(pages[:2]) == (pages[:2], []), "two pages do not tell"
    document = read(made.pdf(*(f"Velmor Ltd - page {n}" for n in range(3))))
    assert document.parts, "a line that is all of its page stays"


def test_letters_that_are_set_apart_are_reported():
    spaced = " ".join("the pump was checked on monday and it runs as it should today")
    assert read(made.pdf(spaced)).warnings == ["letters set apart, not words: page 1"]
