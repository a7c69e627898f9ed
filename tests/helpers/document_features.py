"""One small file of each kind with everything that it may hold, and the words by which a test tells what was read.

FEATURES[kind] is (file name, content, {feature: (text that stands in a passage, or None; warning, or None)}).
"""
# ruff: noqa: E501  # lines of XML

import json

from tests.helpers import documents as made
from tests.helpers.documents import paragraph as p
from tests.helpers.documents import word

Held = dict[str, tuple[str | None, str | None]]


def _docx() -> bytes:
    numbering = (
        '<w:numbering><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
        '<w:lvlText w:val="%1."/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    notes = f'<w:footnotes><w:footnote w:id="2">{p("Dry as bone.")}</w:footnote></w:footnotes>'
    chart = "<c:chartSpace><c:chart><c:ser><c:cat><c:pt idx='0'><c:v>May</c:v></c:pt></c:cat><c:val><c:pt idx='0'><c:v>4</c:v>"
    chart += "</c:pt></c:val></c:ser></c:chart></c:chartSpace>"
    reference = '<w:r><w:t>Keep it dry</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
    equation = (
        "<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath>"
    )
    power = "<w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr><w:t>6</w:t></w:r>"
    box = "<w:r><w:fldChar><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:t>agreed</w:t></w:r>"
    drawing = (
        '<w:r><w:drawing><wp:inline><wp:docPr descr="A mill."/></wp:inline><c:chart r:id="chart"/></w:drawing></w:r>'
    )
    cell = "<w:tc><w:tcPr>{}</w:tcPr>{}</w:tc>"
    head = (
        "<w:tr><w:trPr><w:tblHeader/></w:trPr>" + cell.format("", p("part")) + cell.format("", p("price")) + "</w:tr>"
    )
    first = "<w:tr>" + cell.format('<w:vMerge w:val="restart"/>', p("bolt")) + cell.format("", p("40")) + "</w:tr>"
    second = "<w:tr>" + cell.format("<w:vMerge/>", p("")) + cell.format("", p("41")) + "</w:tr>"
    body = [
        p("Storage", '<w:pStyle w:val="Heading1"/>'),
        p(reference),
        p(equation),
        p(power),
        p(box),
        p(drawing),
        p("Unpack.", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'),
        f"<w:tbl>{head}{first}{second}</w:tbl>",
        p("<w:r><w:t>End.</w:t></w:r><w:r><w:commentReference w:id='1'/></w:r>"),
        p('<w:r><w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r>'),
    ]
    header = f"<w:hdr>{p('Velmor confidential')}</w:hdr>"
    return word("".join(body), numbering=numbering, footnotes=notes, chart=chart, header1=header)


def _pptx() -> bytes:
    import pptx as library
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    file = library.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[5])
    slide.shapes.title.text = "Storage"
    data = CategoryChartData()
    data.categories = ["May"]
    data.add_series("Sales", (4,))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(2), Inches(2), data)
    table = slide.shapes.add_table(3, 2, 0, 0, Inches(2), Inches(1)).table
    for place, text in enumerate(["part", "price", "bolt", "40", "", "41"]):
        table.cell(place // 2, place % 2).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    slide.notes_slide.notes_text_frame.text = "Dry as bone."
    return made.saved(file)


def _odt() -> bytes:
    names = {"text": "text", "table": "table", "office": "office", "draw": "drawing", "style": "style"}
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for short, name in names.items()
    )
    spaces += ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    styles = '<style:style style:name="S"><style:text-properties style:text-position="super 58%"/></style:style>'
    styles += '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
    styles += 'style:num-suffix="."/></text:list-style>'
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Dry as bone.</text:p></text:note-body>"
    row = "<table:table-row>{}</table:table-row>"
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    head = row.format(cell.format("", "part") + cell.format("", "price"))
    rows = row.format(cell.format(' table:number-rows-spanned="2"', "bolt") + cell.format("", "40"))
    rows += row.format("<table:covered-table-cell/>" + cell.format("", "41"))
    body = (
        f'<text:h text:outline-level="1">Storage</text:h><text:p>Keep it dry{note}</text:note></text:p>'
        '<text:p><draw:frame><draw:object xlink:href="./F"/></draw:frame></text:p>'
        '<text:list text:style-name="L"><text:list-item><text:p>Unpack.</text:p></text:list-item></text:list>'
        f"<table:table><table:table-header-rows>{head}</table:table-header-rows>{rows}</table:table>"
        "<text:p>10<text:span text:style-name='S'>6</text:span></text:p><text:p>End.<office:annotation><text:p>Check.</text:p></office:annotation></text:p>"
        '<text:p><draw:frame><draw:object xlink:href="./Chart"/></draw:frame></text:p>'
    )
    content = f"<office:document-content {spaces}>{styles}<office:body><office:text>{body}</office:text></office:body>"
    formula = "<math xmlns='http://www.w3.org/1998/Math/MathML'><mfrac><mi>a</mi><mi>b</mi></mfrac></math>"
    header = "<style:master-page><style:header><text:p>Velmor</text:p></style:header></style:master-page>"
    pages = f"<office:document-styles {spaces}>{header}</office:document-styles>"
    members = {"content.xml": f"{content}</office:document-content>", "F/content.xml": formula, "styles.xml": pages}
    return made.zipped({name: text.encode() for name, text in members.items()})


PAGE = (
    '<html><h1>Storage</h1><p>Keep it dry<a role="doc-noteref" href="#n">1</a>.</p><p id="n">Dry as bone.</p>'
    "<p><math><mfrac><mi>a</mi><mi>b</mi></mfrac></math></p><p>10<sup>6</sup></p><ol><li>Unpack.</li></ol>"
    '<table><tr><th>part</th><th>price</th></tr><tr><td rowspan="2">bolt</td><td>40</td></tr><tr><td>41</td></tr></table>'
    "<pre>def f(x):\n    return x</pre></html>"
)


def _epub() -> bytes:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="o/b.opf"/>'
    )
    package = '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="p%20q.xhtml"/></manifest>'
    members = {
        "META-INF/container.xml": f"{container}</rootfiles></container>",
        "o/b.opf": f'{package}<spine><itemref idref="a"/></spine></package>',
        "o/p q.xhtml": PAGE,
    }
    return made.zipped({name: text.encode() for name, text in members.items()})


def _rtf() -> bytes:
    row = r"\trowd\intbl {}\cell {}\cell\row\pard "
    text = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\info{\title x}}\pard\outlinelevel0 Storage\par\pard "
        r"Keep it dry{\footnote Dry as bone.}\par 10{\super 6} caf\'e9 \u8364? {\pntext 1.\tab}Unpack.\par "
        + row.format("part", "price")
        + row.format("bolt", "40")
        + r"End{\*\annotation Check.}.\par{\object{\*\objdata 00}}{\header Velmor}}"
    )
    return text.encode("latin-1")


def _xlsx() -> bytes:
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    package = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    one = '<Relationship Id="r1" Type="' + relations + '/{}" Target="{}"/>'

    def cell(place: str, text: str) -> str:
        number = text.isdecimal()
        return (
            f'<c r="{place}"><v>{text}</v></c>'
            if number
            else f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'
        )

    rows = f"<row r='1'>{cell('A1', 'part')}{cell('B1', 'price')}{cell('C1', 'sum')}</row>"
    rows += f"<row r='2'>{cell('A2', 'bolt')}{cell('B2', '40')}<c r='C2'><f>B2*2</f></c></row><row r='3'>{cell('B3', '41')}</row>"
    sheet = (
        f"<worksheet {main}><sheetData>{rows}</sheetData><mergeCells><mergeCell ref='A2:A3'/></mergeCells>"
        "<headerFooter><oddHeader>&amp;CVelmor</oddHeader><oddFooter>&amp;P of &amp;N</oddFooter></headerFooter></worksheet>"
    )
    book = f'<workbook {main} xmlns:r="{relations}"><sheets><sheet name="Parts" sheetId="1" r:id="r1"/></sheets></workbook>'
    members = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": package.format(one.format("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": package.format(one.format("worksheet", "worksheets/sheet1.xml")),
        "xl/worksheets/sheet1.xml": sheet,
        "xl/charts/chart1.xml": "<c xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main'><a:t>Sales</a:t></c>",
        "xl/comments1.xml": f"<comments {main}><commentList><comment ref='A1'/></commentList></comments>",
    }
    return made.zipped({name: text.encode() for name, text in members.items()})


def _eml() -> bytes:
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ann <ann@example.org>", "bo@example.org", "Prüfung"
    mail.set_content("Keep it dry.")
    mail.add_alternative("<p>Keep it <b>dry</b>.</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    return mail.as_bytes()


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Storage\n", "Keep it dry: $a/b$."]},
        {
            "cell_type": "code",
            "source": "def f(x):\n    return x",
            "outputs": [
                {"output_type": "stream", "text": ["printed\n"]},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
            ],
        },
    ],
    "nbformat": 4,
}
ARTICLE = (
    "<!DOCTYPE article><article><sec><title>Storage</title><p>Keep it <b>dry</b>.</p><code>def f(x):\n    return x</code>"
    "<list><item><name>bolt</name><price>40</price></item><item unit='kg' mass='3'/></list>"
    "<table><thead><tr><th>part</th><th>price</th></tr></thead><tr><td rowspan='2'>bolt</td><td>40</td></tr><tr><td>41</td></tr></table>"
    "<p>It is <m:math xmlns:m='http://www.w3.org/1998/Math/MathML'><m:mfrac><m:mi>a</m:mi><m:mi>b</m:mi></m:mfrac></m:math>.</p>"
    "</sec></article>"
)
MARKDOWN = """# Storage

Keep it dry[^1]: $a/b$.

| part | price |
|---|---|
| bolt | 40 |

1. Unpack.

```
def f(x):
    return x
```

![mill](data:image/png;base64,iVBORw0KGgo=)

[^1]: Dry as bone.
"""
RST = """Storage
=======

.. a remark

Keep it dry [#n]_: :math:`a/b`, 10\\ :sup:`6`.

.. [#n] Dry as bone.

1. Unpack.

==== =====
part price
==== =====
bolt 40
==== =====

+------+----+
| nut  | 41 |
+      +----+
|      | 42 |
+------+----+

.. code-block:: python

   def f(x):
       return x

.. image:: mill.png
   :alt: A mill.

.. versionadded:: 2.1
   A flux.

.. literalinclude:: f.py
"""
TEX = r"""\documentclass{article}
\begin{document}
\section{Storage}
Keep it dry\footnote{Dry as bone.}: $a/b$. % a remark
\begin{enumerate}\item Unpack.\end{enumerate}
\begin{tabular}{lr}
part & price \\ \hline
\multirow{2}{*}{bolt} & 40 \\
 & 41
\end{tabular}
\begin{lstlisting}
def f(x):
    return x
\end{lstlisting}
\includegraphics{mill.png}
\input{more}
\end{document}
"""
_TABLE = {"tables under their names": ("part: bolt; price: 40", None), "merged cells": ("part: bolt; price: 41", None)}
_MARKED: Held = {"headings": ("section Storage", None), "notes": ("Dry as bone.", None)}
_PAGE: Held = {**_MARKED, **_TABLE, "equations": (r"\frac{a}{b}", None), "powers": ("10^6", None), "list numbers": ("1. Unpack.", None),
               "code": ("def f(x):\n    return x", None)}  # fmt: skip
FEATURES: dict[str, tuple[str, bytes, Held]] = {
    "docx": ("a.docx", _docx(), {
        **_MARKED, **_TABLE, "equations": (r"\frac{a}{b}", None), "powers": ("10^6", None), "list numbers": ("1. Unpack.", None),
        "form values": ("☒agreed", None), "charts": ("May; series 1: 4", None), "picture descriptions": ("A mill.", None),
        "page headers and footers": ("Velmor confidential", None), "comments": (None, "1 comment not read"),
        "embedded files": (None, "1 embedded object not read")}),
    "pptx": ("a.pptx", _pptx(), {
        "headings": ("Storage", None), "notes": ("Notes: Dry as bone.", None), "tables": ("bolt | 40", None),
        "merged cells": ("bolt | 41", None), "charts": ("May; Sales: 4", None)}),
    "odt": ("a.odt", _odt(), {
        **_MARKED, **_TABLE, "powers": ("10^6", None), "page headers and footers": (None, "1 page header not read"), "equations": (r"\frac{a}{b}", None), "list numbers": ("1. Unpack.", None),
        "comments": (None, "1 comment not read"), "embedded files": (None, "1 embedded object not read")}),
    "rtf": ("a.rtf", _rtf(), {
        **_MARKED, "powers": ("10^6", None), "list numbers": ("café € 1.\tUnpack.", None), "tables": ("bolt | 40", None), "comments": (None, "1 comment not read"),
        "embedded files": (None, "1 embedded object not read"), "page headers and footers": (None, "1 page header not read")}),
    "html": ("a.html", PAGE.encode(), _PAGE),
    "epub": ("a.epub", _epub(), _PAGE),
    "xlsx": ("a.xlsx", _xlsx(), {
        **_TABLE, "comments": (None, "1 comment not read"), "page headers and footers": (None, "1 page header not read"),
        "chart titles": (None, "1 chart title not read"), "formulas without a value": (None, "1 formula without a value not read")}),
    "eml": ("a.eml", _eml(), {"subject and sender": ("From: Ann <ann@example.org>\nTo: bo@example.org\nSubject: Prüfung", None),
                              "embedded files": (None, "1 attachment not read")}),
    "ipynb": ("a.ipynb", json.dumps(NOTEBOOK).encode(), {
        "headings": ("section Storage", None), "equations": ("$a/b$", None), "code": ("def f(x):\n    return x", None),
        "printed results": ("printed", None), "pictures": (None, "1 picture not read")}),
    "markdown": ("a.md", MARKDOWN.encode(), {
        "headings": ("section Storage", None), "tables under their names": ("part: bolt; price: 40", None), "notes": ("[^1]: Dry as bone.", None),
        "equations": ("$a/b$", None), "list numbers": ("1. Unpack.", None), "code": ("def f(x):\n    return x", None),
        "embedded files": (None, "1 embedded file (base64) left out")}),
    "xml": ("a.xml", ARTICLE.encode(), {
        **_TABLE, "equations": (r"$\frac{a}{b}$", None), "attributes": ("item (unit: kg; mass: 3)", None), "headings": ("section Storage", None), "code": ("def f(x):\n    return x", None), "records": ("name: bolt\nprice: 40", None)}),
    "rst": ("a.rst", RST.encode(), {
        **_MARKED, "tables under their names": ("part: bolt; price: 40", None), "merged cells": ("nut | 42", None), "equations": ("$a/b$", None),
        "powers": ("10^6", None), "list numbers": ("1. Unpack.", None), "code": ("def f(x):\n    return x", None),
        "picture descriptions": ("[picture: A mill.]", None), "comments": (None, "1 comment not read"),
        "included files": (None, "1 text of another file not read")}),
    "tex": ("a.tex", TEX.encode(), {
        **_MARKED, **_TABLE, "equations": ("$a/b$", None), "list numbers": ("1. Unpack.", None), "code": ("def f(x):\n    return x", None),
        "comments": (None, "1 comment not read"), "pictures": (None, "1 picture not read"),
        "included files": (None, "1 included file not read")}),
    "pdf": ("a.pdf", made.pdf("Keep it dry.", notes=(
        "<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]/FT/Tx/T(litres)/V(4200)>>",
        "<</Type/Annot/Subtype/Text/Rect[0 80 9 89]/Contents(Check this.)>>")),
        {"form values": ("litres: 4200", None), "comments": (None, "1 comment not read")}),
}  # fmt: skip
