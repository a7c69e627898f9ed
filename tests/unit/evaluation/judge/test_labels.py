"""Files with labels of people, in the forms that spreadsheet programs and people write."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.evaluation.judge.labels import label_id, read_labels, usable_labels

TASKS = {"correct": False, "supported": True}
A, B = label_id("raft", "q1", "yes"), label_id("rag", "q1", "yes")


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return [(label.reply, label.task, label.value, label.line) for label in read_labels(path, TASKS)]


def test_an_id_hides_the_arm_and_is_no_number():
    assert A != B
    assert label_id("raft", "q1", "yes") == A
    assert label_id("raft", "q1", "no") != A, "another reply needs another label"
    assert all(label_id("raft", str(number), "").startswith("L") for number in range(50))


@pytest.mark.parametrize(
    "text",
    [
        f"label_id,id,task,label,reply\n{A},q1,correct,yes,=1+1\n{B},q1,correct,,no\n",
        f"\ufefflabel_id;id;task;label\r\n{A};q1;correct;1\r\n{B};q1;correct;\r\n;;;\r\n",
        f'sep=;\n"label_id";"task";"label"\n"{A}";"correct";"TRUE"\n',
        f"Label_ID\ttask\tlabel\n{A}\tcorrect\t Yes \n",
        f"task,label,label_id\ncorrect,'1.0,{A}\n",
        f"\n\nlabel_id,task,label\n{A},correct,y\n{A},correct,1\n",
        f"label_id,task,label\r{A},correct,WAHR\r",
    ],
)
def test_the_habits_of_spreadsheets(tmp_path, text):
    (found,) = read(tmp_path, text)
    assert found[:3] == (A, "correct", 1.0)


def test_other_encodings(tmp_path):
    text = f"label_id\ttask\tlabel\treply\n{A}\tcorrect\tno\tGr\u00fc\u00dfe\n"
    assert read(tmp_path, text, "utf-16")[0][2] == 0
    assert read(tmp_path, text, "cp1252")[0][2] == 0


@pytest.mark.parametrize(
    ("word", "value"),
    [("no", 0), ("FALSE", 0), ("0", 0), ("0.5", 0.5), ("0,25", 0.25), ("75%", 0.75), ("100 %", 1), ("yes", 1)],
)
def test_shares_of_claims(tmp_path, word, value):
    ((_, _, found, line),) = read(tmp_path, f'label_id,task,label\n{A},supported,"{word}"\n')
    assert (found, line) == (value, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (f"{A},correct,maybe", r"line 2: label: got 'maybe'; write yes or no, or leave it empty"),
        (f"{A},correct,0.5", r"line 2: label: got '0.5'; write yes or no"),
        (f"{A},supported,1.5", r"line 2: label: got '1.5'; write the share of supported claims, from 0 to 1"),
        (f"{A},supported,nan", r"line 2: label: got 'nan'"),
        (f"{A},correkt,yes", r"line 2: task: got 'correkt'; did you mean 'correct'\?"),
        (",correct,yes", r"line 2: label_id is empty"),
        (f"{A},correct,yes\n\n{A},correct,no", rf"line 4: label: got 'no' for {A} \(correct\), but line 2 has another"),
        (f'{A},supported,"y\n', r"line 2: not CSV"),
    ],
)
def test_a_label_that_cannot_be_used_is_named_with_its_line(tmp_path, rows, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, f"label_id,task,label\n{rows}\n")
    assert str(tmp_path / "labels.csv") in str(caught.value)


def test_lines_are_counted_in_the_file(tmp_path):
    text = f'sep=,\nlabel_id,task,label,reply\n{A},correct,yes,"one\ntwo\nthree"\n{B},correct,perhaps,no\n'
    with pytest.raises(DataError, match="line 6: label: got 'perhaps'"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 a workbook", "not a CSV file; in the spreadsheet, save it as CSV"),
        (b"", "line 1: no column label_id, task, label"),
        (b"id,label\nq1,yes\n", "line 1: no column label_id, task;"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_no_file_and_no_labels(tmp_path):
    with pytest.raises(DataError, match=r"evaluation.labels: got .*none.csv.*cannot be read .*; name a CSV file"):
        usable_labels(tmp_path / "none.csv", TASKS)
    assert read(tmp_path, f"label_id,task,label\n{A},correct,\n") == []
    with pytest.raises(DataError, match="no row has a label; fill in the column label"):
        usable_labels(tmp_path / "labels.csv", TASKS)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(st.lists(st.tuples(TEXT, st.sampled_from(["yes", "no", ""])), max_size=8), st.sampled_from(",;\t"))
def test_any_texts_beside_the_labels(tmp_path_factory, rows, delimiter):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(["label_id", "question", "task", "label", "reply"])
    for number, (text, label) in enumerate(rows):
        writer.writerow([f"L{number}", text, "correct", label, text])
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text(file.getvalue(), encoding="utf-8-sig", newline="")
    expected = [(f"L{number}", float(label == "yes")) for number, (_, label) in enumerate(rows) if label]
    assert [(label.reply, label.value) for label in read_labels(path, TASKS)] == expected
