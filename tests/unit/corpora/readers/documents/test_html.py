"""Web pages: tables under their names, code with its lines, formulas once."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.corpora.readers import documents


def text(body):
    return "\n\n".join(part.text for part in documents.read("a.html", f"<html><body>{body}".encode())[1].parts)


def cells(*texts, tag="td"):
    return "<tr>" + "".join(t if t.startswith("<t") else f"<{tag}>{t}</{tag}>" for t in texts) + "</tr>"


HEAD = cells("Region", "City", "Fee", tag="th")


def test_merged_cells_stand_in_each_of_their_rows_and_columns():
    rows = HEAD + cells('<td rowspan="2">North</td>', "Alvern", "40") + cells("Bremholm", "55")
    rows += cells('<td rowspan="0">South</td>', "Dorvel", "35") + cells('<td colspan="2">no service</td>')
    assert text(f"<table><caption>Fees</caption>{rows}</table>") == (
        "Fees\nRegion: North; City: Alvern; Fee: 40\nRegion: North; City: Bremholm; Fee: 55\n"
        "Region: South; City: Dorvel; Fee: 35\nRegion: South; City: no service; Fee: no service"
    )


def test_names_in_two_rows_and_a_second_row_of_names():
    first = cells('<th rowspan="2">City</th>', '<th colspan="2">Fee</th>') + cells("day", "year", tag="th")
    rows = first + cells("Alvern", "4", "40") + HEAD + cells("North", "Bremholm", "55")
    assert text(f"<table>{rows}</table>").split("\n") == [
        "City: Alvern; Fee day: 4; Fee year: 40",
        "Region: North; City: Bremholm; Fee: 55",
    ]


def test_names_beside_the_values_and_a_title_over_all():
    rows = '<tr><th colspan="2">Duck</th></tr><tr><th>Class</th><td>Aves</td></tr><tr><td>5</td><td>5</td></tr>'
    assert text(f"<table>{rows}</table>") == "Duck\nClass | Aves\n5 | 5"


def test_a_table_that_places_text_is_text():
    page = "<tr><td><h1>Times</h1><p>It leaves at 8:15.</p><ul><li>Adults 12</li></ul></td><td>Menu</td></tr>"
    assert text(f"<table>{page}</table>") == "Times\n\nIt leaves at 8:15.\nAdults 12\n\nMenu"
    inner = f"<table>{HEAD}{cells('North', 'Alvern', '40')}</table>"
    assert text(f"<table><tr><td>Before.{inner}</td></tr></table>") == "Before.\nRegion: North; City: Alvern; Fee: 40"


CODE = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    "page",
    [
        f"<pre>{CODE}</pre>",
        f'<table><tr><td class="linenos"><pre>1\n2</pre></td><td class="code"><pre>{CODE}</pre></td></tr></table>',
        '<table class="highlight"><tr><td class="blob-num">1</td><td>def f(x):</td></tr>'
        '<tr><td class="blob-num">2</td><td>    return x</td></tr></table>',
        '<pre><span class="lineno">1 </span>def f(x):\n<span class="lineno">2 </span>    return x</pre>',
        f"<textarea>{CODE}</textarea>",
    ],
)
def test_code_keeps_its_lines(page):
    found = text(f"<p>Before.</p>{page}<p>After.</p>")
    assert found.replace("\n\n", "\n") == f"Before.\n{CODE}After."


ANNOTATED = (
    '<math alttext="t=2"><semantics><mrow><mi>t</mi><mo>=</mo><mn>2</mn></mrow>'
    '<annotation encoding="application/x-tex">t=2</annotation></semantics></math>'
)


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        (ANNOTATED, "t=2"),
        ('<math alttext="{\\displaystyle a^{2}}"><mi>a</mi></math>', "a^{2}"),
        ("<math><mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac></math>", r"\frac{a}{b+1}"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup><mo>≤</mo><mi>π</mi></math>", r"x_{i}^{2}\leq\pi"),
        (
            f'<span class="katex"><span class="katex-mathml">{ANNOTATED}</span>'
            '<span class="katex-html">t=2</span></span>',
            "t=2",
        ),
        (f'<span style="display: none">{ANNOTATED}</span><img alt="t=2">', "t=2"),
        ('<span class="MathJax">t=2</span><script type="math/tex">t=2</script>', "t=2"),
    ],
)
def test_formulas_are_latex_once(formula, latex):
    assert text(f"<p>So {formula} holds.</p>") == f"So ${latex}$ holds."


def test_a_formula_that_is_not_read_is_counted():
    _, document = documents.read("a.html", b"<html><p>So <math></math> and <math><mspace/></math> hold.")
    assert document.warnings == ["2 formulas not read"]


def test_lists_keep_their_numbers():
    page = '<ol start="3"><li>a<ol><li>b</li></ol></li><li>c</li><li value="9">d</li></ol><ul><li>e</li></ul>'
    assert text(page).split() == ["3.", "a", "1.", "b", "4.", "c", "9.", "d", "e"]


def test_readings_of_east_asian_text():
    assert text("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字</p>") == "漢(かん)字"


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_every_cell_stands_as_often_as_it_is_wide_and_high(spans, data):
    """Row spans of any size: no cell is lost, and none stands in a row that it does not reach."""
    rows, number, reach = [], 0, {}
    for place, row in enumerate(spans):
        made = []
        for across in row:
            down = data.draw(st.integers(1, len(spans) - place))
            made.append(f'<td rowspan="{down}" colspan="{across}">c{number}q</td>')
            reach[f"c{number}q"] = (place, place + down)
            number += 1
        rows.append(cells("r", *made))
    found = text(f"<table>{cells('a', 'b', tag='th')}{''.join(rows)}</table>").split("\n")
    assert len(found) == len(spans)
    for name, (first, end) in reach.items():
        assert [place for place, line in enumerate(found) if name in line] == list(range(first, end))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<table>" + "<tr><td>a<td>b" * 5_000, "a | b"),
        ("<table><tr><td>" * 3_000 + "needle", "needle"),
        ("<sup>" * 3_000 + "2", "2"),
        ("<table>" + "<tr><td rowspan=65534 colspan=1000>x</td><td>y</td></tr>" * 200 + "</table>", "x | x"),
    ],
)
def test_pages_without_end_tags_take_time_by_their_length(page, expected):
    start = time.process_time()
    assert expected in text(page)
    assert time.process_time() - start < 20


def test_values_of_forms_and_descriptions_of_pictures_are_read():
    page = (
        '<p>Name: <input value="Orlan"> <input type=hidden value=no> <input type=checkbox checked>agreed '
        '<select><option>red<option selected>blue</select></p><p><img alt="A pump."><img alt=""></p>'
    )
    assert text(page) == "Name: Orlan ☒ agreed blue\n\n[picture: A pump.]"


def test_drawings_with_text_and_pages_inside_are_counted():
    page = "<p>Text.</p><svg><text>x</text></svg><svg><path/></svg><iframe src=a.html></iframe><object></object>"
    assert documents.read("a.html", page.encode())[1].warnings == [
        "1 drawing with text not read",
        "1 embedded page not read",
    ]


def test_soft_hyphens_are_left_out():
    assert text("<p>infor&shy;mation</p>") == "information"
