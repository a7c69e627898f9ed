"""Word files: nothing lost, doubled or garbled, and what is not read is counted."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import UnreadableError
from raft_exp.corpora.readers.documents.docx_lists import number
from tests.helpers import documents as made
from tests.helpers.documents import paragraph as p
from tests.helpers.documents import word


def document(body, **parts):
    return documents.read("a.docx", word(body, **parts))[1]


def text(body, **parts):
    return "\n\n".join(part.text for part in document(body, **parts).parts)


def run(inner, properties=""):
    return f"<w:r><w:rPr>{properties}</w:rPr>{inner}</w:r>"


def t(text):
    return f'<w:t xml:space="preserve">{text}</w:t>'


def cell(inner, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner if inner.startswith('<') else p(inner)}</w:tc>"


def row(*cells, properties=""):
    return (
        f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(c if c.startswith('<w:tc') else cell(c) for c in cells)}</w:tr>"
    )


def table(*rows):
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


FOOTNOTES = (
    '<w:footnotes><w:footnote w:id="0" w:type="separator"><w:p/></w:footnote>'
    f'<w:footnote w:id="7">{p("Twice a day.")}{p("With water.")}</w:footnote>'
    f'<w:footnote w:id="3">{p("In summer.")}</w:footnote></w:footnotes>'
)


def test_notes_stand_after_the_paragraph_that_refers_to_them():
    first = run(t("Forty mg")) + run('<w:footnoteReference w:id="7"/>') + run(t(" daily."))
    second = run(t("Closed")) + run('<w:endnoteReference w:id="2"/>') + run('<w:footnoteReference w:id="3"/>')
    endnotes = f'<w:endnotes><w:endnote w:id="2">{p("By law.")}</w:endnote></w:endnotes>'
    assert text(p(first) + p(second), footnotes=FOOTNOTES, endnotes=endnotes) == (
        "Forty mg[1] daily.\n\n[1] Twice a day. With water.\n\nClosed[i][2]\n\n[i] By law.\n\n[2] In summer."
    )


def test_a_note_in_a_table_and_a_note_without_a_mark_are_read():
    body = table(row("dose", "when"), row(cell(p(run(t("40")) + run('<w:footnoteReference w:id="7"/>'))), "noon"))
    found = text(body, footnotes=FOOTNOTES)
    assert found == "dose | when\n40[1] | noon\n\n[1] Twice a day. With water.\n\nIn summer."


def test_a_reference_to_no_note_is_counted():
    found = document(p(run(t("Text.")) + run('<w:footnoteReference w:id="99"/>')), footnotes=FOOTNOTES)
    assert found.warnings == ["1 missing footnote not read"]


def m(name, **parts):
    return f"<m:{name}>{''.join(f'<m:{key}>{value}</m:{key}>' for key, value in parts.items())}</m:{name}>"


def mt(text):
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("equation", "latex"),
    [
        (m("f", num=mt("a"), den=m("rad", deg=mt("3"), e=mt("b"))), r"\frac{a}{\sqrt[3]{b}}"),
        (m("sSubSup", e=mt("x"), sub=mt("i"), sup=mt("2")), "x_{i}^{2}"),
        (m("sSup", e=m("sSub", e=mt("x"), sub=mt("1")), sup=mt("2")), "{x_{1}}^{2}"),
        (m("nary", naryPr='<m:chr m:val="∑"/>', sub=mt("i=1"), sup=mt("n"), e=mt("i")), r"\sum_{i=1}^{n} i"),
        (m("nary", sub="", sup="", e=mt("f")), r"\int f"),
        (m("d", e=mt("a+b")), r"\left(a+b\right)"),
        (m("func", fName=mt("sin"), e=mt("α")), r"\sin \alpha"),
        (m("func", fName=m("limLow", e=mt("lim"), lim=mt("n→∞")), e=mt("q")), r"\lim_{n\to\infty} q"),
        (m("acc", accPr='<m:chr m:val="⃗"/>', e=mt("v")), r"\vec{v}"),
        (m("bar", barPr='<m:pos m:val="top"/>', e=mt("x")), r"\overline{x}"),
        (
            "<m:m><m:mr><m:e>" + mt("1") + "</m:e><m:e>" + mt("0") + "</m:e></m:mr></m:m>",
            r"\begin{matrix}1 & 0\end{matrix}",
        ),
        (mt("2×λx≤5%"), r"2\times \lambda x\leq 5\%"),
        ("<w:del>" + mt("old") + "</w:del><m:newKind><m:e>" + mt("z") + "</m:e></m:newKind>", "z"),
    ],
)
def test_equations_are_latex_once(equation, latex):
    assert text(p(run(t("So ")) + f"<m:oMath>{equation}</m:oMath>" + run(t(".")))) == f"So ${latex}$."


def test_an_equation_that_is_not_read_is_counted():
    old = run('<w:object><o:OLEObject ProgID="Equation.3"/></w:object>')
    found = document(p(run(t("The rate is ")) + "<m:oMath/>" + old))
    assert found.warnings == ["2 equations not read"]


NUMBERING = (
    '<w:numbering><w:abstractNum w:abstractNumId="1">'
    '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:isLgl/><w:lvlText w:val="%1.%3"/></w:lvl>'
    '</w:abstractNum><w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>'
    '<w:lvlText w:val="\uf0b7"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/>'
    "</w:lvlOverride></w:num></w:numbering>"
)


def item(text, number, level=0):
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def test_list_numbers_are_those_that_word_shows():
    body = [item("a", 1), item("b", 1, 1), item("c", 1, 1), item("d", 1, 2), item("e", 1), item("f", 1, 1)]
    body += [item("g", 2), p("between"), item("h", 3), item("i", 3), item("j", 0)]
    found = " ".join(text("".join(body), numbering=NUMBERING).split())
    assert found == "III. a III.a) b III.b) c 3.1 d IV. e IV.a) f - g between I. h II. i j"


STYLES = (
    '<w:styles><w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="K"><w:name w:val="Kapitel"/><w:basedOn w:val="H1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="K2"><w:name w:val="Deeper"/><w:basedOn w:val="K"/>'
    '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="O"><w:name w:val="Own"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="No heading"/><w:basedOn w:val="H1"/>'
    '<w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="L"><w:name w:val="Loop"/><w:basedOn w:val="L"/></w:style></w:styles>'
)


def test_headings_are_those_of_derived_styles_and_outline_levels_with_their_numbers():
    styled = [("One", "K"), ("text", "T"), ("Under", "O"), ("text", "L"), ("Two", "K2"), ("text", "T")]
    body = "".join(p(name, f'<w:pStyle w:val="{style}"/>') for name, style in styled)
    labels = [part.label for part in document(body, styles=STYLES, numbering=NUMBERING).parts]
    assert labels == ["One", "Under", "III. Two"]


@pytest.mark.parametrize("level", ["12", "45", "9", "", "x"])
def test_a_level_that_word_does_not_have_is_no_heading(level):
    styles = STYLES.replace('<w:outlineLvl w:val="1"/>', f'<w:outlineLvl w:val="{level}"/>')
    parts = document(p("Under", '<w:pStyle w:val="O"/>') + p("Text."), styles=styles).parts
    assert [part.label for part in parts] == [""]


@pytest.mark.parametrize("form", ["lowerLetter", "upperLetter", "lowerRoman", "decimal"])
def test_a_number_of_any_size_is_short(form):
    assert number(10**15, form) == str(10**15)


def test_numbers_in_letters_are_those_of_word():
    numbers = [number(count, "lowerLetter") for count in (0, 1, 26, 27, 780, 781)]
    assert numbers == ["0", "a", "z", "aa", "z" * 30, "781"]


def test_moved_and_deleted_text():
    mark = "<w:rPr><w:del/></w:rPr>"
    body = (
        p(f"<w:moveFrom>{run(t('Moved.'))}</w:moveFrom>") + p("Stays.") + p(f"<w:moveTo>{run(t('Moved.'))}</w:moveTo>")
    )
    body += p("Joined ", mark) + p("again") + p(f"<w:del>{run('<w:delText>gone</w:delText>')}</w:del>")
    body += p(f"<w:ins>{run(t('New.'))}</w:ins>")
    body += table(row("a", "b"), row("x", "y", properties="<w:del/>"), row("c", cell("z", "<w:cellDel/>"), "d"))
    assert text(body) == "Stays.\n\nMoved.\n\nJoined again\n\nNew.\na | b\nc | d"


def test_rows_and_cells_in_controls_nested_tables_and_merged_cells():
    control = "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>"
    names = row("part", "holds", properties="<w:tblHeader/>")
    nested = row("hinge", cell(table(row("bolt", "M8"), row("nut", "M6")) + p("")))
    inside = control.format(row("lock", cell("spring")))
    cells = f"<w:tr>{control.format(cell('frame'))}{cell('none')}</w:tr>"
    assert text(table(names, nested, inside, cells)) == (
        "part: hinge; holds: bolt, M8; nut, M6\npart: lock; holds: spring\npart: frame; holds: none"
    )
    merged = table(
        row("region", "city", "fee", properties="<w:tblHeader/>"),
        row(cell("North", '<w:vMerge w:val="restart"/>'), "Alvern", "40"),
        row(cell("", "<w:vMerge/>"), cell("no service", '<w:gridSpan w:val="2"/>')),
        row(cell("Totals of the year", '<w:gridSpan w:val="3"/>')),
    )
    assert text(merged) == (
        "region: North; city: Alvern; fee: 40\nregion: North; city: no service; fee: no service\nTotals of the year"
    )


def test_a_frame_of_one_column_is_read_as_text():
    assert text(table(row(cell(p("One.") + p("Two."))))) == "One.\n\nTwo."


def test_symbols_keep_their_meaning_or_are_counted():
    body = p(run(t("20 ")) + run('<w:sym w:font="Symbol" w:char="F0B0"/>') + run(t("C, ")))
    body += p(run(t("\uf062 = b"), '<w:rFonts w:ascii="Symbol"/>') + run('<w:sym w:font="Wingdings" w:char="F0FC"/>'))
    body += p(
        run(t("multi")) + run("<w:softHyphen/>") + run(t("national e")) + run("<w:noBreakHyphen/>") + run(t("mail"))
    )
    found = document(body + p(run('<w:sym w:font="Webdings" w:char="F041"/>') + run(t("x\ue000"))))
    assert found.parts[0].text == "20 °C,\n\nβ = β✓\n\nmultinational e-mail\n\nx"
    assert found.warnings == ["2 symbols not read"]


def test_controls_without_a_value_and_old_forms():
    prompt = f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run(t('Click here'))}</w:sdtContent></w:sdt>"
    box = run("<w:fldChar><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar>")
    choices = '<w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList>'
    choice = run(f"<w:fldChar><w:ffData>{choices}</w:ffData></w:fldChar>")
    instruction = run("<w:instrText>FORMTEXT</w:instrText>")
    assert (
        text(p(run(t("Name: ")) + prompt) + p(box + run(t(" agreed, ")) + choice + instruction))
        == "Name:\n\n☒ agreed, blue"
    )


def test_text_boxes_pictures_and_charts_are_read_once():
    box = f"<w:txbxContent>{p('In the box.')}{table(row('k', 'v'))}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice><w:drawing><wp:x>{box}</wp:x></w:drawing></mc:Choice>"
    both += f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    picture = '<w:drawing><wp:inline><wp:docPr descr="A mill."/></wp:inline></w:drawing>'
    drawn = '<w:drawing><a:x><c:chart r:id="chart"/></a:x></w:drawing>'
    drawn += '<w:drawing><dgm:relIds r:dm="diagramData"/></w:drawing>'
    points = "<c:pt idx='0'><c:v>{}</c:v></c:pt><c:pt idx='1'><c:v>{}</c:v></c:pt>"
    series = f"<c:tx><c:v>Sales</c:v></c:tx><c:cat>{points.format('May', 'June')}</c:cat>"
    series += f"<c:val>{points.format(4, 5.5)}</c:val>"
    title = "<c:title><a:p><a:r><a:t>By month</a:t></a:r></a:p></c:title>"
    chart = f"<c:chartSpace><c:chart>{title}<c:plotArea><c:ser>{series}</c:ser></c:plotArea></c:chart></c:chartSpace>"
    diagram = "<dgm:dataModel><dgm:pt><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:pt></dgm:dataModel>"
    found = text(p(run(t("Before.")) + run(both) + run(picture) + run(drawn)), chart=chart, diagramData=diagram)
    assert found == (
        "Before.[picture: A mill.]\n\nIn the box.\nk | v\n\nChart: By month\nMay; Sales: 4\nJune; Sales: 5.5\n\nPlan"
    )


def test_what_holds_text_and_is_not_read_is_counted():
    objects = run('<w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object>')
    hidden = run(t("secret"), "<w:vanish/>")
    body = p(run(t("Seen.")) + run('<w:commentReference w:id="1"/>') * 2 + objects + hidden) + '<w:altChunk r:id="x"/>'
    found = document(body)
    assert found.parts[0].text == "Seen."
    assert found.warnings == [
        "2 comments not read",
        "1 embedded object not read",
        "1 inserted document not read",
        "1 run of hidden text not read",
    ]


def test_page_headers_and_footers_stand_once_at_the_end():
    header = f"<w:hdr>{p('Contract 4711 of Velmor')}</w:hdr>"
    found = document(p("Text."), header1=header, header2=header, footer1=f"<w:ftr>{p('Page 3')}</w:ftr>")
    assert [(part.text, part.label) for part in found.parts] == [
        ("Text.", ""),
        ("Contract 4711 of Velmor", "page headers and footers"),
    ]


def strict(data):
    return re.sub(
        rb"http://schemas.openxmlformats.org/(\w+)/2006/(?!relationships\")", rb"http://purl.oclc.org/ooxml/\1/", data
    )


@pytest.mark.parametrize("name", ["a.docx", "a.docm", "a.dotx", "a.dotm"])
def test_other_forms_of_word_files_are_read(name):
    import io
    import zipfile

    plain = word(p("The form is F-12."), image="<x/>")
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        members = {member: archive.read(member) for member in archive.namelist() if "image" not in member}
    assert documents.read(name, made.zipped(members))[1].parts[0].text == "The form is F-12."
    as_strict = {member: strict(data) if "package" not in data.decode() else data for member, data in members.items()}
    assert documents.read(name, made.zipped(as_strict))[1].parts[0].text == "The form is F-12."


def test_a_document_type_is_refused():
    data = made.zipped({"word/document.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"})
    with pytest.raises(UnreadableError, match="a DTD"):
        documents.read("a.docx", data)


def with_type(document_type, text):
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = f'<w:document xmlns:w="{space}"><w:body><w:p><w:r>{t(text)}</w:r></w:p></w:body></w:document>'
    return made.zipped({"word/document.xml": f"{document_type}{body}".encode()})


@pytest.mark.parametrize(
    ("document_type", "inner", "read", "warnings"),
    [
        ("", "&acme;", "", ["1 entity not read"]),
        ("", "&acme;&other;", "", ["2 entities not read"]),
        ("", "caf&eacute;&nbsp;", "café\xa0", []),
        ('<!DOCTYPE d SYSTEM "nowhere.dtd">', "&acme;", "", ["1 entity not read"]),
        ('<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;", "", ["1 entity not read"]),
    ],
)
def test_an_entity_that_does_not_resolve_is_a_warning(document_type, inner, read, warnings):
    opened = documents.read("a.docx", with_type(document_type, f"before {inner} after"))[1]
    assert [part.text for part in opened.parts] == [f"before {read} after"]
    assert opened.warnings == warnings


@pytest.mark.parametrize("damage", ["&acme;<w:b>", "&acme; & ", "&acme;\x01"])
def test_an_entity_hides_no_other_damage(damage):
    with pytest.raises(UnreadableError):
        documents.read("a.docx", with_type("", damage))


WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(st.lists(WORDS, min_size=2, max_size=3), min_size=1, max_size=4), st.data())
def test_no_word_is_lost_or_doubled(rows, data):
    wraps = [
        "{}",
        "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>",
        "<w:customXml>{}</w:customXml>",
        "<w:ins>{}</w:ins>",
    ]
    numbered = [[f"{word}{r}x{c}q" for c, word in enumerate(cells)] for r, cells in enumerate(rows)]
    wrapped = [data.draw(st.sampled_from(wraps)).format(row(*cells)) for cells in numbered]
    found = text(data.draw(st.sampled_from(wraps[:3])).format(p("Start.") + table(*wrapped)))
    assert [line.split(" | ") for line in found.splitlines()] == [["Start."], *numbered]
