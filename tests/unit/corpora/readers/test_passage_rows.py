"""Ready passages: what may be left out, and what is refused with its place."""

import gzip
import re
from typing import Any

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage
from raft_exp.corpora.readers import passage_rows
from tests.helpers.files import lines

WHOLE: dict[str, Any] = {
    "id": "a#1",
    "document_id": "a",
    "title": "A town",
    "text": "It is old. It is small.",
    "place": "page 1",
    "sentences": ["It is old.", " It is small."],
    "source": "towns.pdf",
}


def test_a_whole_row_is_taken_as_it_is(tmp_path):
    assert list(passage_rows.read(lines(tmp_path / "own.jsonl", WHOLE))) == [Passage(**WHOLE)]


def test_all_but_id_and_text_may_be_left_out(tmp_path):
    (passage,) = passage_rows.read(lines(tmp_path / "own.jsonl", {"id": 7, "text": WHOLE["text"], "title": None}))
    assert passage == Passage("7", "7", "", WHOLE["text"], "", WHOLE["sentences"], "own.jsonl")


def test_gzipped_files_and_arrays_are_read_too(tmp_path):
    (tmp_path / "own.json.gz").write_bytes(gzip.compress(b'[{"id": "x", "text": "One."}]'))
    assert [passage.id for passage in passage_rows.read(tmp_path / "own.json.gz")] == ["x"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "a"}, "field 'text' is missing or empty; give it or remove the record"),
        ({"text": "x"}, "field 'id' is missing or empty"),
        ({"id": "a", "text": "  "}, "field 'text' is missing or empty"),
        ({"id": "a", "text": ["x"]}, r"field 'text' is ['x']; give a text or a whole number"),
        ({"id": "a", "text": "x", "sentences": ["y"]}, "field 'sentences' does not equal the text when joined"),
        ({"id": "a", "text": "x", "sentences": [1]}, "field 'sentences' is [1]; give a list of texts"),
        ("{broken", "broken, cut off or not one JSON record"),
        ("[1]", "not one JSON record|got a value of type list"),
    ],
)
def test_what_cannot_be_is_refused_with_file_line_and_remedy(tmp_path, row, told):
    file = lines(tmp_path / "own.jsonl", WHOLE, "", row)
    with pytest.raises(DataError) as error:
        list(passage_rows.read(file))
    assert str(error.value).startswith(f"{file}, line 3: ")
    assert re.search(told if "|" in told else re.escape(told), str(error.value)), error.value
    assert "\n" not in str(error.value)
