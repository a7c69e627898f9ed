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
    assert document.warnings == ["unreadable text left out (the fonts do not map to characters; needs OCR): page 2"]
    with pytest.raises(UnreadableError, match=r"2 of 2 pages have words with symbols .*OCR") as refused:
        read(made.pdf(SHIFTED, SHIFTED))
    assert refused.value.reason == "garbled"


def test_glyphs_without_letters_are_no_text():
    with pytest.raises(UnreadableError, match="glyphs that map to no letter"):
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


BODY = "Text {n} of its own\nmore {n}\nand more {n}{n}\nlast words {n}{n}{n}x"


@pytest.mark.parametrize(
    ("heads", "removed"),
    [
        (lambda n: "The history of mills" if n % 2 else "Chapter 1", ["Chapter 1", "The history of mills"]),
        (lambda n: "Water" if n < 5 else "Fire", ["Water", "Fire"]),
        (lambda n: f"{n + 17} Mills", ["17 Mills"]),
        (lambda n: f"Mills {n * n}", []),
        (lambda n: "Two pages" if n in (2, 9) else f"Line {n * n}", []),
    ],
)
def test_headers_of_every_second_page_and_of_chapters(heads, removed):
    pages = [f"{heads(n)}\n{BODY.format(n=n)}" for n in range(10)]
    kept, lines = without_running_lines(pages)
    assert lines == removed
    assert all((heads(n) in page) == (not removed) for n, page in enumerate(kept))


def lines_of(word, count, width=46):
    """Lines of running text of a column that begin with a word of their own."""
    text = "water from the river runs under the old bridge near the mill as it should on each day of the year"
    filler = text.split()
    return [
        f"{word}{number} {' '.join(filler[number % 7 :] + filler)}"[:width].rpartition(" ")[0]
        for number in range(count)
    ]


def placed(lines, x, top=740):
    return [(x, top - 12 * number, line) for number, line in enumerate(lines)]


def rows(*columns):
    """The lines of columns, line by line across them."""
    return [line for row in zip(*columns, strict=True) for line in row]


LEFT, RIGHT = lines_of("left", 20), lines_of("right", 20)


@pytest.mark.parametrize(
    "content",
    [
        rows(placed(LEFT, 50), placed(RIGHT, 320)),
        placed(RIGHT, 320) + placed(LEFT, 50),
        placed(LEFT, 50) + placed(RIGHT, 320),
    ],
    ids=["line by line", "right first", "left first"],
)
def test_two_columns_are_read_one_after_the_other(content):
    assert read(made.pdf(content)).parts[0].text == "\n".join([*LEFT, *RIGHT])


def test_three_columns_below_a_heading_and_above_a_line():
    columns = [lines_of(word, 12, 34) for word in ("a", "b", "c")]
    across = "A heading that runs across all of the columns of this page and a bit more"
    content = [(40, 760, across), *rows(*(placed(lines, x) for lines, x in zip(columns, (40, 220, 400), strict=True)))]
    content.append((40, 500, "A note below that runs across all of the columns of this page, as the heading does"))
    text = read(made.pdf(content)).parts[0].text.split("\n")
    assert text == [across, *columns[0], *columns[1], *columns[2], content[-1][2]]


def test_words_cut_at_the_line_ends_of_a_column_are_joined():
    left = [*LEFT[:5], LEFT[5][:36].rpartition(" ")[0] + " infor-", "mation " + LEFT[6][:30], *LEFT[7:]]
    right = [*RIGHT[:-1], "All of the information is here, of each pump"]
    text = read(made.pdf(rows(placed(left, 50), placed(right, 320)))).parts[0].text
    assert "information right" not in text
    assert text.count("information") == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([f"part {number}" for number in range(20)], RIGHT),
        ([f"{line[: 10 + 7 * (number % 5)]}" for number, line in enumerate(LEFT)], [f"{n}.50" for n in range(20)]),
        (LEFT[:4], RIGHT[:4]),
    ],
    ids=["names and texts", "texts and prices", "few lines"],
)
def test_rows_of_a_table_stay_rows(first, second):
    text = read(made.pdf(rows(placed(first, 50), placed(second, 320)))).parts[0].text
    assert text.split("\n")[0] == f"{first[0]} {second[0]}"


def test_letters_that_are_set_apart_are_reported():
    spaced = " ".join("the pump was checked on monday and it runs as it should today")
    assert read(made.pdf(spaced)).warnings == ["single letters with spaces between instead of words: page 1"]
