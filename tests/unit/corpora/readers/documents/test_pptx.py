"""PowerPoint files: charts, diagrams, merged cells, numbered lists, equations; other forms; what is counted."""

import io
import zipfile

import pytest

from raft_exp.corpora.readers import documents
from tests.helpers import documents as made


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def slides(name, data):
    return [part.text for part in documents.read(name, data)[1].parts]


def presentation(fill):
    import pptx as library

    file = library.Presentation()
    fill(file.slides.add_slide(file.slide_layouts[6]).shapes)
    return made.saved(file)


def test_a_chart_gives_its_figures_by_name():
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    def fill(shapes):
        data = CategoryChartData()
        data.categories = ["May", "June"]
        data.add_series("Sales", (4.3, 5))
        data.add_series("Costs", (2, None))
        size = (0, 0, Inches(3), Inches(3))
        chart = shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *size, data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "By month"

    assert slides("a.pptx", presentation(fill)) == ["Chart: By month\nMay; Sales: 4.3; Costs: 2\nJune; Sales: 5"]


def test_merged_cells_are_repeated():
    from pptx.util import Inches

    def fill(shapes):
        table = shapes.add_table(3, 3, 0, 0, Inches(3), Inches(1)).table
        for place, text in enumerate(["Region", "City", "Fee", "North", "Alvern", "40", "", "no service", ""]):
            table.cell(place // 3, place % 3).text = text
        table.cell(1, 0).merge(table.cell(2, 0))
        table.cell(2, 1).merge(table.cell(2, 2))

    (found,) = slides("a.pptx", presentation(fill))
    assert found == "Region | City | Fee\nNorth | Alvern | 40\nNorth | no service | no service"


SHAPE = (
    "<p:sp><p:nvSpPr><p:cNvPr id='9' name='x'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>"
    "<p:txBody><a:bodyPr/>{}</p:txBody></p:sp>"
)
MATH = (
    '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
    '<a14:m xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main"><m:oMath xmlns:m='
    '"http://schemas.openxmlformats.org/officeDocument/2006/math"><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r>'
    "<m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></a14:m></mc:Choice><mc:Fallback><a:r><a:t>picture</a:t></a:r>"
    "</mc:Fallback></mc:AlternateContent>"
)


def with_xml(xml):
    """A presentation whose slide holds the shapes of `xml` beside none."""
    parts = members(presentation(lambda shapes: None))
    slide = "ppt/slides/slide1.xml"
    parts[slide] = parts[slide].replace(b"</p:spTree>", xml.encode() + b"</p:spTree>")
    return parts


def paragraph(text, settings=""):
    return f"<a:p><a:pPr{settings}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>"


def test_lists_equations_symbols_and_descriptions():
    numbers = '><a:buAutoNum type="arabicPeriod" startAt="2"/>'
    letters = ' lvl="1"><a:buAutoNum type="alphaLcParenR"/>'
    text = paragraph("a", numbers) + paragraph("b", letters) + paragraph("c", letters) + paragraph("d", numbers)
    text += f"<a:p><a:r><a:t>E = </a:t></a:r>{MATH}</a:p>"
    text += '<a:p><a:r><a:rPr><a:latin typeface="Symbol"/></a:rPr><a:t>\uf0b0</a:t></a:r><a:r><a:t>C</a:t></a:r></a:p>'
    picture = "<p:pic><p:nvPicPr><p:cNvPr id='7' name='p' descr='A mill.'/><p:cNvPicPr/><p:nvPr/></p:nvPicPr></p:pic>"
    assert slides("a.pptx", made.zipped(with_xml(SHAPE.format(text) + picture))) == [
        "2. a\na) b\nb) c\n3. d\nE = $c^{2}$\n°C\n\n[picture: A mill.]"
    ]


def test_slide_numbers_are_no_text_and_objects_are_counted():
    number = SHAPE.format(paragraph("7", ">")).replace("<p:nvPr/>", '<p:nvPr><p:ph type="sldNum"/></p:nvPr>')
    other = "<p:graphicFrame><p:oleObj/></p:graphicFrame>" + SHAPE.format(paragraph("Seen.", ">"))
    _, document = documents.read("a.pptx", made.zipped(with_xml(number + other)))
    assert [part.text for part in document.parts] == ["Seen."]
    assert document.warnings == ["1 embedded object not read"]


@pytest.mark.parametrize("name", ["a.pptx", "a.pptm", "a.ppsx", "a.potx"])
def test_other_forms_and_relationships_to_nothing(name):
    parts = members(made.pptx())
    kind = b"presentationml.presentation.main"
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(kind, b"presentationml.slideshow.main")
    relations = "ppt/slides/_rels/slide1.xml.rels"
    broken = b'<Relationship Id="rId99" Type="http://x/image" Target="../NULL"/></Relationships>'
    parts[relations] = parts[relations].replace(b"</Relationships>", broken)
    assert slides(name, made.zipped(parts))[0] == "Towns\n\nVelmor lies inland.\n\nNotes: Say more."
