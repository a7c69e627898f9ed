"""Passages whose ingest is spread have the bytes of one process."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from raft_exp.core import collection_parts
from raft_exp.core.errors import DataError
from raft_exp.core.shards import Shard
from raft_exp.corpora import passages as passages_corpus
from raft_exp.corpora.ingest_stage import READINGS, IngestStage, compute_shard, ingest, join_shards
from raft_exp.corpora.readers import collection as collection_reader
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.spread.shard_stage import joined, shard_of, sharded
from raft_exp.pipeline.store import Store
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of, study_stages

COUNTS = (1, 3, 7)
JAVANESE = "\ua9b2\ua98f\ua9c0"  # a script without spaces and without a dictionary


def settings(*overrides: str) -> IngestStage:
    return IngestStage(parse(compose(*overrides)).corpus, {}, "")


def shards(config: IngestStage, count: int, out: Path) -> list[Path]:
    """Computes all shards, and returns their folders."""
    folders = [out / f"{index} of {count}" for index in range(count)]
    for index, folder in enumerate(folders):
        folder.mkdir(parents=True)
        compute_shard(config, shard=Shard(index, count), out=folder)
    return folders


def in_shards(config: IngestStage, count: int, out: Path) -> dict[str, bytes]:
    """Computes all shards, joins them, and returns the files."""
    folders = shards(config, count, out)
    (out / "joined").mkdir()
    join_shards(config, shards=folders, out=out / "joined")
    return files(out / "joined")


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def whole(config: IngestStage, out: Path) -> dict[str, bytes]:
    out.mkdir()
    ingest(config, out=out)
    return files(out)


@pytest.fixture
def blocks(monkeypatch):
    """Blocks of four passages."""
    monkeypatch.setattr(collection_parts, "BLOCK", 4)
    monkeypatch.setattr(passages_corpus, "BLOCK", 4)


def records(number: int) -> list[dict[str, object]]:
    texts = [f"Town {n} has {n % 3} mills. It lies on a river." for n in range(number - 1)] + [JAVANESE]
    return [{"id": f"p{n}", "text": text, "document_id": f"d{n // 2}"} for n, text in enumerate(texts)]


def write(file: Path, rows: Sequence[object]) -> Path:
    lines = json.dumps(rows) if file.suffix == ".json" else "\n".join(map(json.dumps, rows)) + "\n\n"
    file.write_bytes(gzip.compress(lines.encode()) if file.suffix == ".gz" else lines.encode())
    return file


@pytest.mark.parametrize(("name", "number"), [("p.jsonl", 30), ("p.jsonl", 5), ("p.json", 8), ("p.jsonl.gz", 13)])
def test_a_collection_does_not_depend_on_the_number_of_shards(tmp_path, blocks, name, number):
    config = settings("corpus=passages", f"corpus.path={write(tmp_path / name, records(number))}")
    expected = whole(config, tmp_path / "whole")
    assert json.loads(expected["counts.json"])["passages"] == number
    assert len(json.loads(expected["counts.json"])) == 2, "passages in Javanese are counted"
    for count in COUNTS:
        assert in_shards(config, count, tmp_path / str(count)) == expected, count


def test_an_id_that_two_shards_have_is_an_error(tmp_path, blocks):
    rows = records(12)
    rows[9]["id"] = "p0"
    config = settings("corpus=passages", f"corpus.path={write(tmp_path / 'p.jsonl', rows)}")
    with pytest.raises(DataError, match="passage id 'p0' occurs twice"):
        in_shards(config, 3, tmp_path / "three")


def test_a_file_without_passages_is_an_error_of_the_join(tmp_path):
    config = settings("corpus=passages", f"corpus.path={write(tmp_path / 'p.json', [])}")
    with pytest.raises(DataError, match="the corpus has no passages"):
        in_shards(config, 3, tmp_path / "three")


def documents(folder: Path) -> Path:
    """A folder with two copies of a file, a passage that two files share, near copies, and files that are not read."""
    folder.mkdir()
    story = " ".join(
        f"The mill number {n} of the town was built by the river in the year {1800 + n}." for n in range(9)
    )
    texts = {f"{n}.txt": f"Town {n} lies in the hills. {story if n in (2, 5) else ''}" for n in range(8)}
    texts |= {"a.md": f"# Mills\n\n{story}", "b.md": f"# Mills\n\n{story}", "c.md": f"# Mills\n\n{story} It burned."}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.4 and no more")
    (folder / "empty.txt").touch()
    (folder / "song.mp3").write_bytes(b"ID3")
    return folder


@pytest.mark.slow
def test_documents_do_not_depend_on_the_number_of_shards(tmp_path):
    study = (
        "corpus=documents",
        f"corpus.path={documents(tmp_path / 'own')}",
        "corpus.workers=1",
        "corpus.chunk.size=40",
    )
    expected = whole(settings(*study, f"corpus.cache={tmp_path / 'cache'}"), tmp_path / "whole")
    report = json.loads(expected["ingest_report.json"])
    assert report["duplicates"] > 0
    assert report["near_duplicates"] + report["similar"] > 0
    assert {each["file"] for each in report["not_read"]} == {"damaged.pdf", "empty.txt", "song.mp3"}
    assert "repeated.json" in expected
    for count in COUNTS:
        config = settings(*study, f"corpus.cache={tmp_path / f'cache {count}'}")
        assert in_shards(config, count, tmp_path / str(count)) == expected, count


def own(folder: Path, cache: Path, *overrides: str) -> tuple[str, ...]:
    """The settings of a study about the files in `folder`."""
    return ("corpus=documents", f"corpus.path={folder}", "corpus.workers=1", f"corpus.cache={cache}", *overrides)


@pytest.mark.slow
def test_the_join_reads_the_files_that_its_cache_lacks(tmp_path, capsys):
    folder = documents(tmp_path / "own")
    expected = whole(settings(*own(folder, tmp_path / "alone" / "x")), tmp_path / "whole")
    folders = shards(settings(*own(folder, tmp_path / "one" / "x")), 3, tmp_path / "shards")
    capsys.readouterr()
    for name, lost in (("one", 0), ("two", 11)):
        (tmp_path / "joined" / name).mkdir(parents=True)
        join_shards(settings(*own(folder, tmp_path / name / "x")), shards=folders, out=tmp_path / "joined" / name)
        assert files(tmp_path / "joined" / name) == expected, name
        said = capsys.readouterr().err
        assert ("lacks the texts of" in said) == bool(lost)
        assert not lost or f"lacks the texts of {lost} of 13 files that the tasks have read" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reason", "has_key"), [("not a readable file", False), ("took too long", True)], ids=["unreadable", "slow"]
)
def test_a_failure_of_a_shard_that_the_cache_lacks_is_read_again(tmp_path, reason, has_key):
    folder = documents(tmp_path / "own")
    expected = whole(settings(*own(folder, tmp_path / "alone" / "x")), tmp_path / "whole")
    (first,) = shards(settings(*own(folder, tmp_path / "one" / "x")), 1, tmp_path / "shards")
    rows = [json.loads(line) for line in (first / READINGS).read_text().splitlines()]
    assert "reason" not in rows[0]["header"]
    rows[0] |= {"key": rows[0]["key"] if has_key else "", "header": {"reason": reason, "detail": "for a while"}}
    (first / READINGS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "joined").mkdir()
    join_shards(settings(*own(folder, tmp_path / "one" / "x")), shards=[first], out=tmp_path / "joined")
    assert files(tmp_path / "joined") == expected


@pytest.mark.slow
def test_shards_of_a_failed_join_are_no_obstacle_with_another_cache(tmp_path):
    folder, store = documents(tmp_path / "own"), Store(tmp_path / "store")
    for name in ("one", "two"):
        study = own(folder, tmp_path / name / "x", "corpus.on_error=fail")
        ingest_stage = study_stages(store.root, *study, "until=ingest")[0]
        functions = sharded(ingest_stage)
        assert functions is not None
        outcomes = [store.ensure(shard_of(ingest_stage, functions, Shard(n, 2)), store.call) for n in range(2)]
        assert [outcome.status for outcome in outcomes] == [{"one": "ran", "two": "reused"}[name]] * 2
        (tmp_path / f"joined {name}").mkdir()
        with pytest.raises(DataError, match=r"3 files were not read: .*damaged\.pdf.*corpus\.on_error=fail"):
            store.call(
                joined(ingest_stage, functions, [outcome.path for outcome in outcomes]), tmp_path / f"joined {name}"
            )


def questions_of(rows: Sequence[tuple[str, str, str]], folder: Path) -> Path:
    """A file of questions in lost-in-the-middle's layout. Each has three passages of the collection, and one more."""
    records = []
    for number in range(6):
        own = [
            ("", "own", f"A passage that is only of question {number}.", "Own"),
            *(("", *row) for row in rows[number::9]),
        ][:4]
        contexts = [{"title": title, "text": text, "isgold": at == 0} for at, (*_, text, title) in enumerate(own)]
        records.append({"question": f"what is {number}", "answers": ["passage"], "ctxs": contexts})
    return write(folder / "questions.jsonl", records)


def collection(file: Path, rows: Sequence[tuple[str, str, str]]) -> Path:
    """A collection in the layout of its name, with a header, empty lines, Windows line ends and no last line end."""
    if ".tsv" in file.name:
        quoted = [(name, '"' + text.replace('"', '""') + '"', title) for name, text, title in rows]
        lines = ["\t".join(row) for row in [("id", "text", "title"), *quoted]]
    else:
        lines = [json.dumps({"id": name, "text": text, "title": title}) for name, text, title in rows]
    lines[3:3] = [""]
    data = "\r\n".join(lines).encode()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return file


@pytest.mark.parametrize("corpus", ["natural_questions", "triviaqa"])
@pytest.mark.parametrize("name", ["wiki.tsv", "wiki.tsv.gz", "wiki.jsonl", "wiki.jsonl.gz"])
def test_the_collection_of_a_corpus_does_not_depend_on_the_number_of_shards(
    tmp_path, blocks, monkeypatch, name, corpus
):
    monkeypatch.setattr(collection_reader, "BLOCK", 4)
    rows = [(f"w{n}", f'Passage "{n}" of a page.\nIt has two lines.', f"Page {n // 4}") for n in range(41)]
    text, title = rows[0][1:]  # of question 0, so that it is left out under any id
    rows += [(again, text, title) for again in ("w1", "w50", "w50")]
    study = f"corpus.path={questions_of(rows, tmp_path)}", f"corpus.collection={collection(tmp_path / name, rows)}"
    config = settings(f"corpus={corpus}", *study)
    expected = whole(config, tmp_path / "whole")
    counts = json.loads(expected["counts.json"])
    assert (counts["passages"], counts["collection_passages"]) == (6 * 4, 41 - 6 * 3)
    for count in COUNTS:
        assert in_shards(config, count, tmp_path / str(count)) == expected, count


def test_a_bad_row_of_a_collection_has_the_line_of_the_file(tmp_path):
    rows = [(f"w{n}", f"Passage {n}.", f"Page {n // 4}") for n in range(41)]
    file = collection(tmp_path / "wiki.tsv", rows)
    file.write_text(file.read_text().replace('"Passage 30."', ""))
    config = settings("corpus=triviaqa", f"corpus.path={questions_of(rows, tmp_path)}", f"corpus.collection={file}")
    for count in COUNTS:
        with pytest.raises(DataError, match=r"wiki\.tsv, line 33: .*must have the columns"):
            shards(config, count, tmp_path / str(count))


def test_an_id_that_a_collection_has_twice_is_an_error(tmp_path):
    rows = [(f"w{n % 40}", f"Passage {n}.", f"Page {n // 4}") for n in range(41)]
    file = collection(tmp_path / "wiki.tsv", rows)
    config = settings(
        "corpus=triviaqa", f"corpus.path={questions_of(rows[1:9], tmp_path)}", f"corpus.collection={file}"
    )
    for count in COUNTS:
        with pytest.raises(DataError, match="passage id 'w0' occurs twice"):
            in_shards(config, count, tmp_path / str(count))


def test_a_killed_ingest_of_a_collection_computes_no_shard_again(tmp_path):
    rows = [(f"w{n}", f"Passage {n}.", f"Page {n // 4}") for n in range(41)]
    study = (
        "+experiment=triviaqa",
        "model=tiny",
        f"corpus.path={questions_of(rows, tmp_path)}",
        f"corpus.collection={collection(tmp_path / 'wiki.tsv', rows)}",
        "until=ingest",
    )
    store = Store(tmp_path / "store")
    whole_stage = study_stages(store.root, *study)[0]
    functions = sharded(whole_stage)
    assert functions is not None
    found = []
    for lives in (2, 3):  # the first study ends before its last task
        stages = [shard_of(whole_stage, functions, Shard(index, 3)) for index in range(lives)]
        found.append([store.ensure(each, store.call).status for each in stages])
    assert found == [["ran", "ran"], ["reused", "reused", "ran"]]
    (tmp_path / "joined").mkdir()
    store.call(joined(whole_stage, functions, [store.path(each) for each in stages]), tmp_path / "joined")
    assert files(tmp_path / "joined") == whole(settings(*study), tmp_path / "whole")


def test_other_corpora_are_ingested_in_one_process():
    assert sharded(stages_of("corpus=almanac")["ingest"]) is None
    assert sharded(stages_of("corpus=triviaqa")["ingest"]) is None, "it has no collection"
