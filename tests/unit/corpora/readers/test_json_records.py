import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import json_records

ROWS = [{"id": "a", "n": 1, "x": 1.5, "nested": {"k": ["é", None]}}, {"id": "b", "n": 2, "x": 0.5, "nested": {"k": []}}]
KEYED = {"1": ROWS[0], "2": ROWS[1]}


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \n"], ids=["", "bom", "space"])
@pytest.mark.parametrize("indent", [None, 2])
def test_layouts_are_told_by_content(tmp_path, pack, mark, indent):
    array = written(tmp_path, "one", pack(mark + json.dumps(ROWS, indent=indent).encode()))
    rows = written(tmp_path, "two", pack(mark + lines(ROWS)))
    keyed = written(tmp_path, "three", pack(mark + json.dumps(KEYED, indent=indent).encode()))
    assert [json_records.layout(path) for path in (array, rows, keyed)] == ["array", "lines", "object"]
    assert list(json_records.rows(array)) == list(json_records.rows(rows)) == ROWS
    assert list(json_records.keyed(keyed)) == list(KEYED.items())


def test_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "rows.bin"
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert json_records.layout(path) == "parquet"
    assert list(json_records.rows(path)) == ROWS
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"rows\.bin: this parquet file cannot be read"):
        list(json_records.rows(path))


def test_record_with_an_object_first_is_a_line(tmp_path):
    path = written(tmp_path, "rows", lines([{"context": {"contexts": []}, "pubid": 1}]))
    assert json_records.layout(path) == "lines"


def test_single_record_object_is_keyed(tmp_path):
    path = written(tmp_path, "rows", json.dumps({"1": ROWS[0]}).encode())
    assert list(json_records.keyed(path)) == [("1", ROWS[0])]


def test_key_twice_is_given_twice(tmp_path):
    path = written(tmp_path, "rows", b'{"1": {"a": 1}, "1": {"a": 2}}')
    assert list(json_records.keyed(path)) == [("1", {"a": 1}), ("1", {"a": 2})]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_cut_file_says_where(tmp_path, pack):
    many = {str(number): {"text": "word " * 40} for number in range(5000)}
    whole = json.dumps(many).encode()
    path = written(tmp_path, "cut.json", pack(whole[: len(whole) // 2]))
    read = []
    with pytest.raises(
        DataError, match=r"cut\.json: broken or cut off after '(\d+)' \(record \d+, about byte \d+\)"
    ) as e:
        read.extend(key for key, _ in json_records.keyed(path))
    assert "\n" not in str(e.value)

    array = written(tmp_path, "array.json", pack(json.dumps(list(many.values())).encode()[:50_000]))
    with pytest.raises(DataError, match=r"array\.json: broken or cut off after record \d{3}"):
        list(json_records.rows(array))

    rows = written(tmp_path, "rows.jsonl", pack(lines(list(many.values()))[:-30]))
    with pytest.raises(DataError, match=r"rows\.jsonl, line 5000: broken, cut off"):
        list(json_records.rows(rows))


@pytest.mark.parametrize("keep", [1, 5, 12, 0.5])
def test_cut_gzip_is_a_data_error(tmp_path, keep):
    data = gzip.compress(lines(ROWS * 3000))
    path = written(tmp_path, "rows.gz", data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(DataError, match=r"rows\.gz"):
        list(json_records.rows(path))


@pytest.mark.parametrize("data", [b"", b"  \n ", gzip.compress(b"")], ids=["none", "blank", "gzip"])
def test_empty_file(tmp_path, data):
    with pytest.raises(DataError, match="empty"):
        json_records.layout(written(tmp_path, "empty.json", data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7", "neither JSON nor parquet"),
        (b'[{"a": 1}, 3]', "record 2: got a value of type int, but a record must"),
        (b'{"a": 1}\n[2]\n', "line 2: got a value of type list, but a record must"),
        (b'{"a": 1}\n\xff\n', "line 2: broken"),
        (b'{"1": {"a": 1}}', "one object of records"),
    ],
)
def test_what_is_no_record(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        list(json_records.rows(written(tmp_path, "file", data)))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no\.json: cannot be read"):
        json_records.layout(tmp_path / "no.json")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(), VALUES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_array_gives_back_what_was_written(tmp_path_factory, rows):
    path = written(tmp_path_factory.mktemp("rows"), "rows", json.dumps(rows).encode())
    assert list(json_records.rows(path)) == rows
