"""Collections of passages to search, in both forms."""

import gzip
from itertools import count, islice
from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import collection
from tests.helpers.files import lines


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_tabs_as_dpr_publishes_them(tmp_path: Path, zipped: bool) -> None:
    path = written(
        tmp_path / "psgs_w100.tsv", 'id\ttext\ttitle\n1\t"Aaron ""the"" prophet."\tAaron\n2\tOne. Two.\tAaron\n'
    )
    path.write_bytes(gzip.compress(path.read_bytes()) if zipped else path.read_bytes())
    one, two = collection.read(path)
    assert (one.id, one.text, one.title, one.place) == ("1", 'Aaron "the" prophet.', "Aaron", "")
    assert one.document_id == two.document_id == "Aaron", "passages of one article are one document"
    assert two.sentences == ["One.", " Two."]
    assert two.source == "psgs_w100.tsv"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1\ta text\ta title\n", ("1", "a text", "a title", "a title")),
        ("1\ta text\n", ("1", "a text", "", "1")),
        ("title\tid\ttext\nT\t1\ta text\n", ("1", "a text", "T", "T")),
    ],
)
def test_columns_are_named_or_id_text_title(tmp_path: Path, text: str, found: tuple[str, ...]) -> None:
    (passage,) = collection.read(written(tmp_path / "any.tsv", text))
    assert (passage.id, passage.text, passage.title, passage.document_id) == found


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": "a\ttext", "title": "T"}, {"id": "2", "text": "b", "title": "T", "document_id": "D"}]
    one, two = collection.read(lines(tmp_path / "any.jsonl", *rows))
    assert [(p.id, p.text, p.document_id) for p in (one, two)] == [("1", "a\ttext", "T"), ("2", "b", "D")]


def test_a_collection_is_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "long.tsv"
    with path.open("w") as file:
        file.writelines(f"{number}\ttext {number}\ttitle\n" for number in range(50_000))
        file.write("50000\tno title, but one column too many\tx\ty\n")
    assert [passage.id for passage in islice(collection.read(path), 3)] == ["0", "1", "2"]
    with pytest.raises(DataError, match=r"long\.tsv, line 50001: .* must have the columns id, text, title"):
        list(collection.read(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t\tT\n", r"line 1: \['1', '', 'T'\] must have the columns id, text, title, with an id and a text"),
        ("id\ttext\ttitle\n1\tx\n", r"line 2: \['1', 'x'\] must have"),
        (f'1\t"never closed {"x" * 140_000}\tT\n', r"after line \d+: field larger than field limit.*quotation mark"),
        ("", "empty"),
    ],
)
def test_broken_collections(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        list(collection.read(written(tmp_path / "any.tsv", text)))
    assert "\n" not in str(error.value)


def test_a_collection_that_is_cut_off(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{n}\ttext {hash(n) ** 3}\ttitle\n" for n, _ in zip(count(), range(9999))).encode())
    path = tmp_path / "cut.tsv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.tsv\.gz, after line \d+: Compressed file ended"):
        list(collection.read(path))
