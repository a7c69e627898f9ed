"""Files of questions as people have them: tables and JSON, columns by name or by guess."""

import csv
import io
import zipfile
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers.question_rows import ALIASES, QuestionRows
from tests.helpers.files import lines


def rows(path, **columns):
    read = QuestionRows(path, columns)
    return [row for _, row in read.placed()], read.taken()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_any_delimiter_and_encoding(delimiter, encoding, tmp_path):
    table = [
        ["Query", "Output", "File"],
        ["Où, quand; |?", 'the "1,5 mg"', "a.txt"],
        ["", "", ""],
        ["Who?", "Orlan", "b.txt"],
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(table)
    path = tmp_path / "questions.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    found, line = rows(path)
    assert found == [
        {"question": "Où, quand; |?", "answers": 'the "1,5 mg"', "document_id": "a.txt"},
        {"question": "Who?", "answers": "Orlan", "document_id": "b.txt"},
    ]
    assert line == (
        f"{path}: read question from 'Query', answers from 'Output', document_id from 'File' (corpus.columns)"
    )


@pytest.mark.parametrize("field", ["question", "answers", "document_id", "id"])
def test_every_other_name_of_a_field_is_known(field, tmp_path):
    for name in ALIASES[field]:
        for written in (name, name.upper(), name.replace("_", " ").title()):
            row = {"question": "Who?", "answers": ["x"], "document_id": "d", written: "y"}
            row.pop(field, None)
            (named,), _ = rows(lines(tmp_path / "q.jsonl", row))
            assert named[field] == "y"


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"question": "q", "answer": "Paris"}, "Paris"),
        ({"question": "q", "answers": "Paris", "output": "x"}, "Paris"),
        ({"id": "1", "question": "q", "golden_answers": ["a", "b"], "metadata": {}}, ["a", "b"]),
        ({"query": "q", "answer": 1802}, "1802"),
        ({"query": "q", "answer": [1, 2.5]}, ["1", "2.5"]),
        ({"question": "q", "answers": {"text": ["a"], "answer_start": [3]}}, ["a"]),
        ({"question": "q", "answers": None, "answer": "Paris"}, "Paris"),
    ],
)
def test_answers_of_other_data_sets(record, answers, tmp_path):
    (row,), _ = rows(lines(tmp_path / "q.jsonl", record))
    assert row["question"] == "q"
    assert row["answers"] == answers


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def spreadsheet(path, table):
    """A workbook of one sheet."""

    def cell(value):
        text = f"<is><t>{escape(str(value))}</t></is>"
        return f"<c><v>{value}</v></c>" if isinstance(value, int) else f'<c t="inlineStr">{text}</c>'

    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in table)
    related = f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}sheet.main+xml"/><Override PartName="/xl/s.xml" '
        f'ContentType="{kind}worksheet+xml"/></Types>',
        "_rels/.rels": f'{related}officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{related}worksheet" Target="s.xml"/></Relationships>',
        "xl/s.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path


def test_a_spreadsheet(tmp_path):
    table = [["Question", "Answer", "Source"], ["When?", 1802, "a.pdf"], ["Who?", '["Orlan", "J. Orlan"]', "a.pdf"]]
    found, _ = rows(spreadsheet(tmp_path / "questions.xlsx", table))
    assert [row["answers"] for row in found] == ["1802", ["Orlan", "J. Orlan"]]
    assert found[0]["document_id"] == "a.pdf"


def test_columns_that_cannot_be_guessed_are_named(tmp_path):
    path = tmp_path / "fragen.csv"
    path.write_text("Frage;Antwort;Datei\nWer?;Orlan;a.txt\n")
    with pytest.raises(
        DataError, match=r"among 'Frage', 'Antwort', 'Datei'; name the column: .\+corpus\.columns\.question=NAME.$"
    ):
        rows(path)
    (row,), _ = rows(path, question="Frage", answers="Antwort", document_id="Datei")
    assert row == {"question": "Wer?", "answers": "Orlan", "document_id": "a.txt"}
    with pytest.raises(DataError, match=r"corpus\.columns: got 'anwser'"):
        rows(path, anwser="Antwort")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xlsx"])
def test_a_column_that_the_file_does_not_have_is_an_error(tmp_path, ending):
    path = tmp_path / f"fragen.{ending}"
    if ending == "csv":
        path.write_text("Frage;Antwort;Datei\nWer?;Orlan;\nWo?;Velm;\n")
    elif ending == "jsonl":
        path.write_text(
            '{"Frage": "Wer?", "Antwort": "Orlan"}\n{"Frage": "Wo?", "Antwort": "Velm", "Datei": "a.txt"}\n'
        )
    else:
        spreadsheet(path, [["Frage", "Antwort", "Datei"], ["Wer?", "Orlan", ""]])
    named = {"question": "Frage", "answers": "Antwort", "document_id": "Datei"}
    assert rows(path, **named)[0][0]["question"] == "Wer?", "a column with empty cells is a column"
    for field, name in named.items():
        told = rf"^corpus\.columns\.{field}: .*fragen\.{ending} has no column '{name}e'; did you mean '{name}'\?"
        with pytest.raises(DataError, match=told):
            rows(path, **named | {field: f"{name}e"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xd0\xcf\x11\xe0rest", "old Excel file"),
        (b"PK\x03\x04rest", "Excel file cannot be read"),
        (b'question,answer\nWho,"a"b\n', "the quotation marks do not match"),
        (b"\x00\x01\x02\x03", "save it as CSV in UTF-8"),
        (b"", "empty"),
    ],
)
def test_other_files_are_refused_in_one_line(content, says, tmp_path):
    path = tmp_path / "questions.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as error:
        rows(path)
    assert "\n" not in str(error.value)


cells = (
    st.text(st.characters(categories=["L", "N", "P", "Zs", "S"]), min_size=1, max_size=20).map(str.strip).filter(bool)
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5), st.sampled_from(",;\t|"))
def test_whatever_is_written_is_read(tmp_path_factory, table, delimiter):
    path = tmp_path_factory.mktemp("q") / "q.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("question", "answer"), *table])
    found, _ = rows(path)
    assert [row["question"] for row in found] == [question for question, _ in table]
