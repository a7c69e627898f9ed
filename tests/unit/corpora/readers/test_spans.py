"""Each shard of a collection reads a part of the file; together they read each row once."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage
from raft_exp.core.shards import Shard
from raft_exp.corpora.readers import collection, spans

COUNTS = (1, 2, 3, 7, 40)


def cut(path: Path, count: int) -> list[Passage]:
    """The passages of all shards, in order."""
    return [passage for index in range(count) for passage in collection.read_shard(path, Shard(index, count))]


# quotation marks, tabs, every kind of line break, letters of several bytes
TEXTS = st.text(st.sampled_from('ab"\t\r\n é\u2028名'), min_size=1, max_size=12).map(lambda text: f"{text}.")
BARE = st.text(st.sampled_from('ab" é\u2028名'), max_size=12).map(lambda text: f"a{text}")
ROWS = st.lists(st.tuples(TEXTS | BARE, st.just("") | BARE | TEXTS, st.booleans()), min_size=1, max_size=25)


def tabbed(rows: list[tuple[str, str, bool]], end: str, header: bool, whole: bool, mark: bool) -> bytes:
    """A table with bare and quoted fields and empty lines; `whole`: with a line break at the end."""
    lines = [f"id\ttext\ttitle{end}"] if header else []
    for number, (text, title, is_followed_by_empty_line) in enumerate(rows):
        fields = (
            str(number),
            *(field if field.isascii() and is_bare(field) else quoted(field) for field in (text, title)),
        )
        lines.append("\t".join(fields) + end + (end if is_followed_by_empty_line else ""))
    data = "".join(lines)
    return (b"\xef\xbb\xbf" if mark else b"") + (data if whole else data.removesuffix(end)).encode()


def is_bare(field: str) -> bool:
    return not field.startswith('"') and not set(field) & set("\t\r\n")


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans(), st.booleans())
def test_a_table_is_cut_between_rows(tmp_path, rows, end, header, whole, mark):
    path = tmp_path / "any.tsv"
    path.write_bytes(tabbed(rows, end, header, whole, mark))
    expected = list(collection.read(path))
    assert len(expected) == len(rows)
    for count in COUNTS:
        assert cut(path, count) == expected, count


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('ab"\t\t\r\n\n 1'), max_size=80))
def test_any_table_is_read_alike_or_refused_alike(tmp_path, text):
    path = tmp_path / "any.tsv"
    path.write_text(f"1\ta text\n{text}", encoding="utf-8", newline="")
    try:
        expected, said = list(collection.read(path)), ""
    except DataError as refusal:
        expected, said = [], str(refusal)
    for count in COUNTS:
        if not said:
            assert cut(path, count) == expected, count
            continue
        with pytest.raises(DataError) as error:
            cut(path, count)
        assert str(error.value) == said, count


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["\n", "\r\n", "\n \n\n"]), st.booleans(), st.booleans())
def test_json_lines_are_cut_between_lines(tmp_path, rows, end, whole, mark):
    path = tmp_path / "any.jsonl"
    lines = [
        json.dumps({"id": n, "text": text, "title": title}, ensure_ascii=n % 2 == 0)
        for n, (text, title, _) in enumerate(rows)
    ]
    data = (end.join(lines) + (end if whole else "")).encode()
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + data)
    expected = list(collection.read(path))
    assert len(expected) == len(rows)
    for count in COUNTS:
        assert cut(path, count) == expected, count


def test_texts_of_many_lines_do_not_move_a_cut_far(tmp_path):
    path = tmp_path / "poems.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerows(
            [n, "\n".join(f'line "{m}" of poem {n}' for m in range(n % 9 + 2)) + "\n", "T"] for n in range(500)
        )
    expected = list(collection.read(path))
    assert cut(path, 7) == expected
    sizes = [len(list(collection.read_shard(path, Shard(index, 7)))) for index in range(7)]
    assert min(sizes) > 50, "each shard has its share"


def test_a_field_that_is_too_long_ends_the_doubt(tmp_path, monkeypatch):
    path = tmp_path / "long.tsv"
    path.write_text("".join(f"{n}\t{'word ' * 100}\ttitle\n" for n in range(1000)))
    place = path.stat().st_size // 2
    start = spans.span_of_rows(path, Shard(1, 2), 3).start
    assert place < start < place + 3 * csv.field_size_limit(), "no quotation mark shows that no field is quoted"


@pytest.mark.parametrize("name", ["bad.tsv", "bad.jsonl", "bad.tsv.gz", "bad.jsonl.gz"])
@pytest.mark.parametrize("bad", [0, 1, 700, 1999])
def test_a_bad_row_is_named_by_its_line_in_the_file(tmp_path, name, bad):
    path = tmp_path / name
    lines = [f"{n}\ttext {n}\tT\n" if ".tsv" in name else f'{{"id": {n}, "text": "text {n}"}}\n' for n in range(2000)]
    lines[bad] = f"{bad}\t\tT\n" if ".tsv" in name else f'{{"id": {bad}}}\n'
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(DataError, match=rf"{name}, line {bad + 1}:") as expected:
        list(collection.read(path))
    for count in (1, 3, 7):
        with pytest.raises(DataError) as error:
            cut(path, count)
        assert str(error.value) == str(expected.value), count


def test_letters_that_are_not_utf8_are_refused_alike(tmp_path):
    path = tmp_path / "latin.tsv"
    path.write_bytes(
        b"".join(b"%d\ttext %d\tT\n" % (n, n) for n in range(5000)) + b"x\tcaf\xe9\tT\n" + b"y\ttext\tT\n" * 9
    )
    with pytest.raises(DataError, match=r"latin\.tsv, after line \d+: .*utf-8") as expected:
        list(collection.read(path))
    with pytest.raises(DataError) as error:
        cut(path, 3)
    assert str(error.value) == str(expected.value)


@pytest.mark.parametrize("name", ["any.tsv.gz", "any.jsonl.gz", "any.json"])
def test_a_file_that_cannot_be_cut_is_read_by_each_shard(tmp_path, name, monkeypatch):
    monkeypatch.setattr(collection, "BLOCK", 4)
    path = tmp_path / name
    rows = [{"id": n, "text": f"text {n}", "title": "T"} for n in range(30)]
    lines = (
        "".join(f"{row['id']}\t{row['text']}\tT\n" for row in rows)
        if ".tsv" in name
        else "\n".join(map(json.dumps, rows))
    )
    data = (lines if name.endswith(".gz") else json.dumps(rows)).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert not collection.is_cut(path)
    expected = list(collection.read(path))
    for index in range(3):
        own = [passage for at, passage in enumerate(expected) if at // 4 % 3 == index]
        assert list(collection.read_shard(path, Shard(index, 3))) == own
