"""Makes small documents in binary formats."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


Line = tuple[float, float, str]  # x and y in points from the lower left corner, and a text


def pdf(*pages: str | Sequence[Line], notes: Sequence[str] = ()) -> bytes:
    """One line of text a page, or several; `notes` are annotations of all pages, also fields of a form."""
    fields = " ".join(notes)
    form = f"/AcroForm<</Fields[{fields}]/DR<<>>>>" if notes else ""
    objects = [f"<</Type/Catalog/Pages 2 0 R{form}>>", ""]
    for text in pages:
        lines = ([(20, 100, text)] if text else []) if isinstance(text, str) else text
        size = 12 if isinstance(text, str) else 9
        content = " ".join(f"BT /F1 {size} Tf {x} {y} Td ({line}) Tj ET" for x, y, line in lines)
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
        font = "<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
        box = "/MediaBox[0 0 300 200]" if isinstance(text, str) else "/MediaBox[0 0 600 800]"
        annotated = f"/Annots[{fields}]" if notes else ""
        objects.append(f"<</Type/Page/Parent 2 0 R{box}/Resources{font}/Contents {len(objects)} 0 R{annotated}>>")
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects[1] = f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>"
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF"
    )
    return data + end.encode()


def docx() -> bytes:
    import docx as library
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    file = library.Document()
    file.add_heading("A report", 0)
    file.add_paragraph("Before.")
    file.add_heading("Methods", 1)
    file.add_heading("Sampling", 2)
    file.add_paragraph("We sampled.")
    control = f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    file.element.body.sectPr.addprevious(parse_xml(control))
    file.add_heading("Results", 1)
    table = file.add_table(2, 2)
    for row, cells in zip(table.rows, (("town", "year"), ("Velmor", "1912")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return saved(file)


def pptx() -> bytes:
    import pptx as library
    from pptx.util import Inches

    file = library.Presentation()
    first = file.slides.add_slide(file.slide_layouts[1])
    first.shapes.title.text = "Towns"
    first.placeholders[1].text = "Velmor lies inland."
    first.notes_slide.notes_text_frame.text = "Say more."
    file.slides.add_slide(file.slide_layouts[6])
    table = file.slides.add_slide(file.slide_layouts[6]).shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for row, cells in zip(table.rows, (("town", "year"), ("Velmor", "1912")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return saved(file)


def saved(file: object) -> bytes:
    data = io.BytesIO()
    file.save(data)  # type: ignore[attr-defined]
    return data.getvalue()


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_M = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_NAMESPACES = (
    f'xmlns:w="{W}" xmlns:r="{_R}" xmlns:m="{_M}" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:o="urn:schemas-microsoft-com:office:office" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
)


def word(body: str, **parts: str) -> bytes:
    """A Word file of XML: the body, and parts by their relationship ("footnotes", "chart", ...), each id its name."""
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_R}/{name.rstrip("0123456789")}" Target="{name}.xml"/>' for name in parts
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    main = f'<Relationship Id="r" Type="{_R}/officeDocument" Target="word/document.xml"/>'
    rooted = {name: re.sub(r"^<([\w:]+)", rf"<\1 {_NAMESPACES}", text) for name, text in parts.items()}
    members = {
        "_rels/.rels": f'<Relationships xmlns="{package}">{main}</Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}">{relations}</Relationships>',
        "word/document.xml": f"<w:document {_NAMESPACES}><w:body>{body}</w:body></w:document>",
        **{f"word/{name}.xml": text for name, text in rooted.items()},
    }
    return zipped({name: text.encode() for name, text in members.items()})


def paragraph(text: str, properties: str = "") -> str:
    """A paragraph of a Word file; `text` may be XML of runs."""
    runs = text if text.startswith("<") else f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"
