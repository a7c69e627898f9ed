"""A company's folder of 30 files of all kinds, with 60 questions whose answers stand in tables, notes, slides and code.

Each file has running text, a table of parts with prices (a fact of it is asked), and a sentence with a fact at a place
that is easily lost: a footnote, the notes of a slide, a chart, a form, a comment in code, the foot of a column.
"""
# ruff: noqa: E501  # lines of XML

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.helpers import documents as made
from tests.helpers.documents import paragraph as p

WORDS = [
    "the",
    "valve",
    "of",
    "our",
    "plant",
    "was",
    "checked",
    "by",
    "crew",
    "and",
    "pressure",
    "stays",
    "low",
    "in",
    "every",
    "line",
    "until",
    "spring",
]
Row = tuple[str, str]  # part and price


@dataclass(frozen=True)
class Content:
    """What a file holds: paragraphs of running text, the rows of its table, and a sentence about `unit`."""

    text: list[str]
    rows: list[Row]
    unit: str
    hours: str

    @property
    def note(self) -> str:
        return f"Unit {self.unit} must rest for {self.hours} before it is opened."


def content(number: int) -> Content:
    """The content of a file by its number. Prices stand in other files too, for other parts."""
    generator = random.Random(number)
    text = [" ".join(" ".join(generator.choices(WORDS, k=12)).capitalize() + "." for _ in range(5)) for _ in range(6)]
    prices = random.Random(number % 5).sample(range(100, 999), 14)
    rows = [(f"V-{number}{place:02}", f"{price} euros") for place, price in enumerate(prices)]
    return Content(text, rows, f"P-{number}7", f"{number + 31} hours")


def _docx(it: Content) -> bytes:
    """The note is a footnote."""
    cell = "<w:tc><w:tcPr/>{}</w:tc>"
    head = f"<w:tr><w:trPr><w:tblHeader/></w:trPr>{cell.format(p('part'))}{cell.format(p('price'))}</w:tr>"
    rows = "".join(f"<w:tr>{cell.format(p(part))}{cell.format(p(price))}</w:tr>" for part, price in it.rows)
    mark = "<w:r><w:t>See the note</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r>"
    body = (
        "".join(map(p, it.text))
        + p("Prices", "<w:pStyle w:val='Heading1'/>")
        + f"<w:tbl>{head}{rows}</w:tbl>"
        + p(mark)
    )
    return made.word(body, footnotes=f"<w:footnotes><w:footnote w:id='2'>{p(it.note)}</w:footnote></w:footnotes>")


def _docx_of_controls(it: Content) -> bytes:
    """The table has merged cells inside of a content control; the note stands in a text box."""
    cell = "<w:tc><w:tcPr>{}</w:tcPr>{}</w:tc>"
    merge = ["<w:vMerge w:val='restart'/>", *["<w:vMerge/>"] * (len(it.rows) - 1)]
    rows = "".join(
        f"<w:tr>{cell.format(how, p('valves'))}{cell.format('', p(part))}{cell.format('', p(price))}</w:tr>"
        for how, (part, price) in zip(merge, it.rows, strict=True)
    )
    box = f"<w:r><w:pict><v:shape><v:textbox><w:txbxContent>{p(it.note)}</w:txbxContent></v:textbox></v:shape></w:pict></w:r>"
    table = f"<w:sdt><w:sdtContent><w:tbl>{rows}</w:tbl></w:sdtContent></w:sdt>"
    return made.word("".join(map(p, it.text)) + table + p(box))


def _pptx(it: Content) -> bytes:
    """The note is that of a slide."""
    import pptx as library
    from pptx.util import Inches

    file = library.Presentation()
    for number, text in enumerate(it.text):
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = f"Topic {number}", text
    slide.notes_slide.notes_text_frame.text = it.note
    slide = file.slides.add_slide(file.slide_layouts[6])
    table = slide.shapes.add_table(len(it.rows), 2, 0, 0, Inches(4), Inches(4)).table
    for number, row in enumerate(it.rows):
        for column, value in enumerate(row):
            table.cell(number, column).text = value
    return made.saved(file)


def _pptx_of_charts(it: Content) -> bytes:
    """The prices are those of a chart."""
    import pptx as library
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    file = library.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Rules", f"{it.text[0]}\n{it.note}"
    data = CategoryChartData()
    data.categories = [part for part, _ in it.rows]
    data.add_series("euros", [int(price.split()[0]) for _, price in it.rows])
    file.slides.add_slide(file.slide_layouts[6]).shapes.add_chart(
        XL_CHART_TYPE.BAR_CLUSTERED, 0, 0, Inches(4), Inches(4), data
    )
    return made.saved(file)


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _pdf(it: Content) -> bytes:
    """The note stands at the foot of a page below a running header."""
    pages = [
        [
            (50, 780, "Velmor works, handbook of the plant"),
            *((50, 750 - 14 * n, line) for n, line in enumerate(_lines(text * 3, 90))),
        ]
        for text in it.text[:4]
    ]
    pages[0].append((50, 60, it.note))
    pages[1] = [
        *pages[1][:6],
        *(
            cell
            for n, (part, price) in enumerate(it.rows)
            for cell in ((50, 600 - 14 * n, part), (250, 600 - 14 * n, price))
        ),
    ]
    return made.pdf(*pages)


def _pdf_of_columns(it: Content) -> bytes:
    """Two columns that are written line by line; the note is the end of the left one."""
    note = _lines(it.note, 48)
    left, right = _lines(" ".join(it.text[:3]), 48), _lines(" ".join(it.text[3:]), 48)
    count = min(len(left), len(right) - len(note))
    pairs = enumerate(zip([*left[:count], *note], right, strict=False))
    page = [cell for n, (one, other) in pairs for cell in ((50, 750 - 14 * n, one), (320, 750 - 14 * n, other))]
    table = [
        cell
        for n, (part, price) in enumerate(it.rows)
        for cell in ((50, 700 - 14 * n, part), (250, 700 - 14 * n, price))
    ]
    return made.pdf(page, table)


def _pdf_of_forms(it: Content) -> bytes:
    """The prices are values of a form."""
    fields = [
        f"<</Type/Annot/Subtype/Widget/Rect[0 {20 * n} 9 {20 * n + 9}]/FT/Tx/T({part})/V({price})>>"
        for n, (part, price) in enumerate(it.rows)
    ]
    return made.pdf(
        [(50, 750 - 14 * n, line) for n, line in enumerate(_lines(f"{it.text[0]} {it.note}", 90))], notes=fields
    )


def _page(it: Content) -> str:
    """The note is a footnote with a link to its mark."""
    rows = "".join(f"<tr><td>{part}</td><td>{price}</td></tr>" for part, price in it.rows)
    table = f"<table><caption>Prices</caption><tr><th>part</th><th>price</th></tr>{rows}</table>"
    text = "".join(f"<p>{one}</p>" for one in it.text)
    return f"<html><body><nav>Home</nav>{text}{table}<p>See<a role='doc-noteref' href='#n'>1</a>.</p><aside id='n'>{it.note}</aside></body></html>"


def _code(it: Content) -> str:
    """The note is a comment in code."""
    limits = "\n".join(f'prices["{part}"] = "{price}"' for part, price in it.rows)
    return f"prices = {{}}\n{limits}\n\n\ndef open_unit(name):\n    # {it.note}\n    return name"


def _html_of_code(it: Content) -> bytes:
    return f"<html><body><h1>Code</h1><p>{it.text[0]}</p><pre>{_code(it)}</pre></body></html>".encode()


def _markdown(it: Content) -> bytes:
    rows = "\n".join(f"| {part} | {price} |" for part, price in it.rows)
    text = "\n\n".join(it.text)
    return f"# Parts\n\n{text}[^1]\n\n| part | price |\n|---|---|\n{rows}\n\n[^1]: {it.note}\n".encode()


def _text(it: Content) -> bytes:
    return ("\n\n".join(it.text) + "\n\n" + "\n".join(": ".join(row) for row in it.rows) + f"\n\n{it.note}\n").encode()


def _csv(it: Content) -> bytes:
    rows = [";".join((part, price, it.note if not n else "")) for n, (part, price) in enumerate(it.rows)]
    return "\n".join(["part;price;remark", *rows]).encode()


def _json(it: Content) -> bytes:
    return json.dumps([{"part": part, "price": price} for part, price in it.rows] + [{"rule": it.note}]).encode()


def _xlsx(it: Content) -> bytes:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    one = '<Relationship Id="{}" Type="' + office + '/{}" Target="{}"/>'

    def sheet(rows: Sequence[Sequence[str]]) -> str:
        cells = ("".join(f"<c t='inlineStr'><is><t>{value}</t></is></c>" for value in row) for row in rows)
        return f"<worksheet {main}><sheetData>{''.join(f'<row>{row}</row>' for row in cells)}</sheetData></worksheet>"

    names = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(("Prices", "Rules"), 1)
    )
    sheets = "".join(one.format(f"r{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in (1, 2))
    members = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": relations.format(one.format("r", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations.format(sheets),
        "xl/worksheets/sheet1.xml": sheet([("part", "price"), *it.rows]),
        "xl/worksheets/sheet2.xml": sheet([("unit", "rule"), (it.unit, it.note)]),
    }
    return made.zipped({name: text.encode() for name, text in members.items()})


def _odt(it: Content) -> bytes:
    names = {"text": "text", "table": "table", "office": "office"}
    spaces = " ".join(f'xmlns:{s}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for s, name in names.items())
    row = "<table:table-row>{}</table:table-row>"
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    rows = "".join(row.format(cell.format(part) + cell.format(price)) for part, price in it.rows)
    head = (
        f"<table:table-header-rows>{row.format(cell.format('part') + cell.format('price'))}</table:table-header-rows>"
    )
    note = f"<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>{it.note}</text:p></text:note-body></text:note>"
    body = (
        "".join(f"<text:p>{one}</text:p>" for one in it.text)
        + f"<text:p>See{note}</text:p><table:table>{head}{rows}</table:table>"
    )
    content = f"<office:document-content {spaces}><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    return made.zipped({"content.xml": content.encode()})


def _rtf(it: Content) -> bytes:
    rows = "".join(rf"\trowd\intbl {part}\cell {price}\cell\row\pard " for part, price in it.rows)
    text = "".join(rf"{one}\par " for one in it.text)
    return rf"{{\rtf1\ansi {text}See{{\footnote {it.note}}}.\par {rows}}}".encode("latin-1")


def _epub(it: Content) -> bytes:
    container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    package = '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'
    members = {"META-INF/container.xml": container, "b.opf": package, "a.xhtml": _page(it)}
    return made.zipped({name: text.encode() for name, text in members.items()})


def _eml(it: Content) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@example.org", "bo@example.org", "Prices"
    mail.set_content(_text(it).decode())
    return mail.as_bytes()


def _eml_of_pages(it: Content) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@example.org", "bo@example.org", "Prices"
    mail.set_content(_page(it), subtype="html")
    return mail.as_bytes()


def _ipynb(it: Content) -> bytes:
    """The prices are what a cell printed."""
    printed = {"output_type": "stream", "text": "\n".join("  ".join(row) for row in it.rows)}
    cells = [
        {"cell_type": "markdown", "source": f"# Work\n\n{it.text[0]}"},
        {"cell_type": "code", "source": f"def f(x):\n    # {it.note}\n    return x", "outputs": [printed]},
    ]
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def _xml(it: Content) -> bytes:
    rows = "".join(f"<item><part>{part}</part><price>{price}</price></item>" for part, price in it.rows)
    text = "".join(f"<para>{one}</para>" for one in it.text)
    return f"<article><section><title>Parts</title>{text}<note>{it.note}</note>{rows}</section></article>".encode()


def _rst(it: Content) -> bytes:
    rows = "\n".join(f"{part:<10}  {price}" for part, price in it.rows)
    rule = f"{'=' * 10}  {'=' * 12}"
    text = "\n\n".join(it.text)
    return f"Parts\n=====\n\n{text} [#n]_\n\n.. [#n] {it.note}\n\n{rule}\n{'part':<10}  price\n{rule}\n{rows}\n{rule}\n".encode()


def _tex(it: Content) -> bytes:
    rows = " \\\\\n".join(f"{part} & {price}" for part, price in it.rows)
    text = "\n\n".join(it.text)
    return (
        f"\\documentclass{{article}}\\begin{{document}}\\section{{Parts}}\n{text}\\footnote{{{it.note}}}\n"
        f"\\begin{{tabular}}{{ll}}part & price \\\\ \\hline\n{rows}\n\\end{{tabular}}\\end{{document}}"
    ).encode()


def _tex_of_code(it: Content) -> bytes:
    return f"\\section{{Code}}\n{it.text[0]}\n\\begin{{lstlisting}}\n{_code(it)}\n\\end{{lstlisting}}".encode()


FILES: list[tuple[str, Callable[[Content], bytes]]] = [
    ("docx", _docx), ("docx", _docx), ("docx", _docx_of_controls), ("docx", _docx_of_controls), ("pptx", _pptx), ("pptx", _pptx),
    ("pptx", _pptx_of_charts), ("pdf", _pdf), ("pdf", _pdf_of_columns), ("pdf", _pdf_of_forms), ("html", lambda it: _page(it).encode()),
    ("html", _html_of_code), ("md", _markdown), ("md", _markdown), ("txt", _text), ("csv", _csv), ("json", _json), ("xlsx", _xlsx),
    ("xlsx", _xlsx), ("odt", _odt), ("rtf", _rtf), ("epub", _epub), ("eml", _eml), ("eml", _eml_of_pages), ("ipynb", _ipynb),
    ("ipynb", _ipynb), ("xml", _xml), ("rst", _rst), ("tex", _tex), ("tex", _tex_of_code),
]  # fmt: skip


def make(folder: Path) -> list[dict[str, object]]:
    """Writes the files; returns the questions, with the `subject` that must stand before the answer."""
    folder.mkdir()
    questions: list[dict[str, object]] = []
    for number, (suffix, write) in enumerate(FILES):
        it, name = content(number), f"{number:02}.{suffix}"
        (folder / name).write_bytes(write(it))
        part, price = it.rows[3 + number % 8]
        answer = price.split()[0] if write is _pptx_of_charts else price
        for question, subject, answered in (
            (f"What does part {part} cost?", part, answer),
            (f"How long must unit {it.unit} rest?", it.unit, it.hours),
        ):
            questions.append(
                {"question": question, "answers": [answered], "document_id": name, "slices": {"subject": subject}}
            )
    return questions
