"""Parquet: types are the format's, whatever the first rows hold."""

from pyarrow import parquet

from raft_exp.exports import FORMATS
from raft_exp.exports import parquet as ours

EVAL = FORMATS["eval"].columns


def test_types_do_not_hang_on_the_first_rows(tmp_path):
    empty = {"id": "a", "question": "", "answers": [], "context": [], "has_gold": False}
    passage = {"id": "p", "document_id": "d", "title": "", "text": "x", "gold": True, "place": ""}
    rows = [empty] * 1500 + [{**empty, "id": "b", "answers": ["y"], "context": [passage]}]
    assert ours.write(tmp_path / "file.parquet", iter(rows), EVAL) == 1501
    assert parquet.read_table(tmp_path / "file.parquet").to_pylist() == rows


def test_half_characters_become_the_replacement_mark(tmp_path):
    row = {"id": "a", "prompt": "\ud800x \U0001f600 é \udc00", "completion": "\ufeffy"}
    ours.write(tmp_path / "file.parquet", [row], FORMATS["completion"].columns)
    (found,) = parquet.read_table(tmp_path / "file.parquet").to_pylist()
    assert found == {"id": "a", "prompt": "\ufffdx \U0001f600 é \ufffd", "completion": "\ufeffy"}
