"""CSV files in the forms that programs write: the delimiter, lines above the table, tables below each other."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.corpora.readers import documents


def rows(text, name="a.csv"):
    return [part.text for part in documents.read(name, text.encode())[1].parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\nname;price\nPump;1.250,50\n", ["name: Pump; price: 1.250,50"]),
        ('"sep=|"\nname|price\nPump|7\n', ["name: Pump; price: 7"]),
        ('"Name, first, last";Price\n"Ann, M.";12,50\n', ["Name, first, last: Ann, M.; Price: 12,50"]),
        ("a, b\tc, d, e\n1,5\t2,5\n", ["a, b: 1,5; c, d, e: 2,5"]),
        (
            "Price, EUR;Costs, EUR\n1,5;2,5\n3,5;4,5\n",
            ["Price, EUR: 1,5; Costs, EUR: 2,5", "Price, EUR: 3,5; Costs, EUR: 4,5"],
        ),
        ("text\nHello, world\nOne, two, three\nNo comma\nNone here\n", None),
    ],
)
def test_the_delimiter_is_the_one_that_fits_all_rows(text, expected):
    alone = ["text: Hello, world", "text: One, two, three", "text: No comma", "text: None here"]
    assert rows(text) == (expected or alone)


def test_lines_above_a_table_are_text():
    above = "Quarterly report, Northern region, by finance\nPeriod: 2024 Q1\n\n"
    assert rows(f"{above}product,units,price\nPump,12,40\nValve,30,7\n") == [
        "Quarterly report; Northern region; by finance",
        "Period: 2024 Q1",
        "product: Pump; units: 12; price: 40",
        "product: Valve; units: 30; price: 7",
    ]
    assert rows("Report of May,,\nproduct,units,price\nPump,12,40\n") == [
        "Report of May",
        "product: Pump; units: 12; price: 40",
    ]


def test_tables_below_each_other_keep_their_own_names():
    text = "town,people\nVelmor,120\nOder,80\n\nmill,year,owner\nVelmor,1912,Orlan\nOder,1920,Breck\n"
    assert rows(text) == [
        "town: Velmor; people: 120",
        "town: Oder; people: 80",
        "mill: Velmor; year: 1912; owner: Orlan",
        "mill: Oder; year: 1920; owner: Breck",
    ]


def test_an_empty_row_inside_a_table_ends_it_not():
    assert rows("town,river\nVelmor,Ister\n\nOder,Oder\n") == ["town: Velmor; river: Ister", "town: Oder; river: Oder"]


def test_a_table_without_names_is_values_and_is_reported():
    _, document = documents.read("a.csv", b"Pump,40\nValve,7\nBolt,3\n")
    assert [part.text for part in document.parts] == ["Pump; 40", "Valve; 7", "Bolt; 3"]
    assert document.warnings == ["row 1 contains numbers: it is read as values, not as column names"]
    assert rows("country,2001,2002\nNorvia,5,6\n") == ["country: Norvia; 2001: 5; 2002: 6"], "years are names"


CELLS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=12).map(str.strip).filter(bool)


@given(st.data(), st.sampled_from(",;\t|"), st.integers(2, 4))
def test_no_cell_is_lost_or_moved(data, delimiter, width):
    table = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=2, max_size=6))
    names = [f"name{place}" for place in range(width)]
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *table])
    expected = ["; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=True)) for row in table]
    assert rows(file.getvalue()) == expected


def test_single_quotation_marks_hold_delimiters():
    rows = documents.read("a.csv", b"'name','price'\n'bolt, large','3'\n'nut','4'\n")[1].parts
    assert [row.text for row in rows] == ["name: bolt, large; price: 3", "name: nut; price: 4"]
    rows = documents.read("a.csv", b"name,note\nbolt,it's large\nnut,'so' it is\n")[1].parts
    assert [row.text for row in rows] == ["name: bolt; note: it's large", "name: nut; note: 'so' it is"]
