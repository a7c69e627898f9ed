"""Corpus `documents`: a folder of one's own files becomes passages, and what is bad in it is said."""

import json
import os

import pytest

from raft_exp.core.collection import Passages
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.schema import identity
from raft_exp.corpora import open_corpus
from raft_exp.corpora.documents import pool
from raft_exp.corpora.documents.pool import ReadDocument
from raft_exp.pipeline.parsing import parse
from tests.helpers import documents as made
from tests.helpers.command_line import raft_exp, run_folder, statuses
from tests.helpers.composing import compose
from tests.helpers.files import lines
from tests.helpers.stages import run

DOCUMENTS = ("corpus=documents", "corpus.workers=1")


@pytest.fixture
def own(tmp_path):
    """A folder with something good, something bad and something below it."""
    folder = tmp_path / "own"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "report.docx").write_bytes(made.docx())
    (folder / "deep" / "pages.pdf").write_bytes(made.pdf("Velmor lies inland.", "Harwick lies by the sea."))
    (folder / "deep" / "er" / "notes.md").write_text("# Mills\nThe mill of Velmor was built in 1712.")
    (folder / "broken.docx").write_bytes(made.docx()[:500])
    (folder / "empty.txt").write_text(" \n")
    (folder / ".hidden.txt").write_text("unseen")
    return folder


def corpus(folder, tmp_path, *overrides):
    settings = (*DOCUMENTS, f"corpus.path={folder}", f"store={tmp_path / 'store'}", *overrides)
    return open_corpus(parse(compose(*settings)).corpus)


def ingested(folder, tmp_path, *overrides):
    """The opened corpus, once it is read, and its passages."""
    opened = corpus(folder, tmp_path, *overrides)
    return opened, list(opened.passages())


@pytest.mark.parametrize(
    ("sizes", "setting", "started"),
    [((10, 10, 10), "null", 1), ((10, 250_000, 10), "null", 2), ((900_000,) * 3, "null", 4), ((10, 10, 10), "3", 3)],
)
def test_small_files_start_few_processes(tmp_path, monkeypatch, sizes, setting, started):
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.txt").write_text("a" * size)
    asked = []

    def read_all(files, settings, scratch, workers):
        asked.append(workers)
        return enumerate([ReadDocument("", {"reason": "empty", "detail": ""}, True)] * len(files))

    monkeypatch.setattr(pool, "read_all", read_all)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    opened = corpus(tmp_path, tmp_path, f"corpus.workers={setting}")
    with pytest.raises(DataError, match="no file gave a passage"):
        list(opened.passages())
    assert asked == [started]


def test_passages_say_document_title_and_place(own, tmp_path):
    opened, found = ingested(own, tmp_path)
    told = [(passage.id, passage.document_id, passage.title, passage.place, passage.source) for passage in found]
    assert told == [
        ("deep/er/notes.md#0", "deep/er/notes.md", "Mills", "section Mills", "deep/er/notes.md"),
        ("deep/pages.pdf#0", "deep/pages.pdf", "pages", "pages 1-2", "deep/pages.pdf"),
        ("report.docx#0", "report.docx", "A report", "section A report", "report.docx"),
        ("report.docx#1", "report.docx", "A report", "section Methods > Sampling", "report.docx"),
        ("report.docx#2", "report.docx", "A report", "section Results", "report.docx"),
    ]
    assert found[1].text == "Velmor lies inland.\nHarwick lies by the sea."
    assert all("".join(passage.sentences) == passage.text for passage in found)
    assert opened.counts == {
        "documents": 3,
        "duplicates": 0,
        "near_duplicates": 0,
        "similar": 0,
        "files_not_read": 2,
        "with_warnings": 0,
        "not_read_damaged": 1,
        "not_read_empty": 1,
    }


@pytest.mark.slow
def test_bad_files_are_reported_and_the_rest_goes_on(own, tmp_path):
    done = raft_exp(
        tmp_path,
        "+experiment=documents",
        "model=tiny",
        "trainer=cpu",
        f"corpus.path={own}",
        "until=ingest",
        "export.passages=true",
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 5 files were not read (1 damaged, 1 empty)" in done.stderr
    folder = run_folder(tmp_path)
    report = json.loads((folder / "ingest_report.json").read_text())
    assert report["reasons"] == {"damaged": 1, "empty": 1}
    assert [(row["file"], row["reason"]) for row in report["not_read"]] == [
        ("broken.docx", "damaged"),
        ("empty.txt", "empty"),
    ]
    assert [(row["file"], row["format"], row["passages"]) for row in report["documents"]] == [
        ("deep/er/notes.md", "markdown", 1),
        ("deep/pages.pdf", "pdf", 1),
        ("report.docx", "docx", 3),
    ]
    again = run(
        tmp_path / "store", "corpus=passages", f"corpus.path={folder / 'exports' / 'passages.jsonl'}", until="ingest"
    )
    (first,) = (tmp_path / "store" / "ingest").glob(f"*{os.sep}{'ingest_report.json'}")
    assert list(Passages(again["ingest"])) == list(Passages(first.parent))
    assert set(statuses(folder)) == {"ingest", "export"}


@pytest.mark.slow
def test_nothing_is_lost_where_bad_files_end_the_run(own, tmp_path):
    told = r"2 files were not read: broken\.docx \(damaged: .*\), empty\.txt \(empty"
    with pytest.raises(DataError, match=told) as error:
        run(tmp_path / "store", *DOCUMENTS, f"corpus.path={own}", "corpus.on_error=fail", until="ingest")
    assert "\n" not in str(error.value)
    assert list((tmp_path / "store" / "ingest").glob("*.partial/ingest_report.json")), "all of them stand there"
    (own / "broken.docx").unlink()
    (own / "empty.txt").unlink()
    opened, _ = ingested(own, tmp_path, "corpus.on_error=fail")
    assert opened.report.anew == 0


@pytest.mark.slow
def test_only_what_is_new_is_read(own, tmp_path):
    opened, before = ingested(own, tmp_path)
    assert opened.report.anew == 5
    (own / "new.txt").write_text("Calton is new.")
    opened, after = ingested(own, tmp_path)
    assert opened.report.anew == 1
    assert [passage for passage in after if passage.document_id != "new.txt"] == before
    (own / "deep" / "er" / "notes.md").rename(own / "moved.md")
    opened, moved = ingested(own, tmp_path, "corpus.chunk.size=100")
    assert opened.report.anew == 0, "neither another name nor other passages need the file again"
    assert "moved.md#0" in [passage.id for passage in moved]
    (own / "new.txt").rename(own / "new.md")
    assert ingested(own, tmp_path)[0].report.anew == 1, "another suffix has another reader"


@pytest.mark.slow
def test_names_and_versions_are_part_of_the_key(own, tmp_path):
    def key():
        return run(tmp_path / "store", *DOCUMENTS, f"corpus.path={own}", until="ingest")["ingest"]

    first = key()
    assert key() == first
    (own / "report.docx").rename(own / "renamed.docx")
    renamed = key()
    assert renamed != first
    (own / "unsupported.xyz").write_text("x")
    assert key() != renamed, "the report names it"


@pytest.mark.slow
def test_the_order_and_the_bytes_are_the_same_for_any_number_of_processes(own, tmp_path):
    found = []
    for workers in (1, 3):
        store = tmp_path / str(workers)
        how = (*DOCUMENTS, f"corpus.path={own}", f"corpus.workers={workers}")
        folder = run(store, *how, until="ingest")["ingest"]
        found.append({file.name: file.read_bytes() for file in folder.iterdir() if file.name != "manifest.json"})
    assert found[0] == found[1]


def test_copies_are_left_out_and_counted(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("The  mill of Velmor.")
    (folder / "c.md").write_text("the mill\nof velmor.")
    opened, found = ingested(folder, tmp_path)
    assert [passage.id for passage in found] == ["a.txt#0"]
    assert opened.counts["duplicates"] == 2
    told = {row["file"]: (row["copy_of"], row["passages"]) for row in opened.report.as_dict()["documents"]}
    assert told == {"a.txt": (None, 1), "b.txt": ("a.txt", 0), "c.md": (None, 0)}


@pytest.mark.slow
def test_a_line_of_title_and_section_stands_first_by_choice(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "guide.md").write_text("# Guide\n\nBefore.\n\n## Pumps\n\n### Seals\n\nReplace them. Each year.\n")
    (folder / "plain.txt").write_text("Only text.")
    plain = ingested(folder, tmp_path)[1]
    lines = ingested(folder, tmp_path, "corpus.chunk.context=true")[1]
    assert [passage.text for passage in lines] == [
        f"{line}\n{passage.text}"
        for line, passage in zip(["Guide", "Guide > Pumps > Seals", "plain"], plain, strict=True)
    ]
    assert [passage.id for passage in lines] == [passage.id for passage in plain]
    for passage in lines:
        assert "".join(passage.sentences) == passage.text
        assert passage.sentences[0] == passage.text.partition("\n")[0]


def test_settings_with_their_defaults_are_in_no_key():
    def chunk(*overrides):
        return identity(parse(compose("corpus=documents", *overrides)).corpus)["chunk"]

    assert chunk() == {"size": 256, "overlap": 32}
    changed = {"by": "sections", "context": True, "near_copies": "keep"}
    assert chunk(*(f"corpus.chunk.{name}={value}".lower() for name, value in changed.items())) == {**chunk(), **changed}


@pytest.mark.slow
def test_a_file_alone_and_a_folder_by_a_roundabout_way(own, tmp_path):
    _, found = ingested(own / "deep" / ".." / "report.docx", tmp_path)
    assert {passage.document_id for passage in found} == {"report.docx"}
    assert ingested(own / ".." / "own", tmp_path)[1] == ingested(own, tmp_path)[1]


def test_nothing_outside_is_read(own, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("The secret stands here.")
    (own / "link.txt").symlink_to(outside / "secret.txt")
    (own / "roundabout.txt").symlink_to("../outside/secret.txt")
    (own / "folder").symlink_to(outside)
    (own / "nowhere.txt").symlink_to("nothing")
    (own / "inside.docx").symlink_to("report.docx")
    (own / "loop").symlink_to(".")
    os.mkfifo(own / "pipe.txt")
    opened, found = ingested(own, tmp_path)
    assert "secret" not in " ".join(passage.text for passage in found)
    assert {name: why["reason"] for name, why in opened.report.bad.items()} == {
        "link.txt": "outside the folder",
        "roundabout.txt": "outside the folder",
        "folder": "outside the folder",
        "nowhere.txt": "not a readable file",
        "pipe.txt": "not a readable file",
        "broken.docx": "damaged",
        "empty.txt": "empty",
    }


def test_a_file_that_becomes_a_link_is_not_followed(own, tmp_path):
    opened = corpus(own, tmp_path)
    assert own / "report.docx" in opened.files()
    (tmp_path / "secret.docx").write_bytes(made.docx())
    (own / "report.docx").unlink()
    (own / "report.docx").symlink_to(tmp_path / "secret.docx")
    assert "report.docx" not in {passage.document_id for passage in opened.passages()}
    assert opened.report.bad["report.docx"]["reason"] == "not a readable file"


@pytest.mark.slow
def test_our_own_store_and_runs_are_no_documents(own, tmp_path):
    for folder, name in (("store/ingest", "passages.jsonl"), ("runs/x", "plan.json"), ("runs/x", "config.yaml")):
        (own / folder).mkdir(parents=True, exist_ok=True)
        (own / folder / name).write_text('{"a": 1}')
    (own / "runs" / "x" / "report.html").write_text("<p>ours</p>")
    before = ingested(own, tmp_path)[1]
    assert "store/ingest/passages.jsonl" in {passage.document_id for passage in before}, "not ours: another store"
    after = ingested(own, own)[1]
    assert {passage.document_id for passage in after} == {"deep/er/notes.md", "deep/pages.pdf", "report.docx"}


def test_questions_that_lie_beside_the_documents_are_none_of_them(own, tmp_path):
    questions = lines(own / "questions.jsonl", {"question": "When?", "answers": ["1712"], "document_id": "notes.md"})
    _, found = ingested(own, tmp_path, f"corpus.questions={own / 'deep' / '..' / 'questions.jsonl'}")
    assert questions.name not in {passage.document_id for passage in found}, "the answers would stand in the passages"


def test_any_file_name_will_do(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in (b"caf\xe9.txt", "ça va\n.txt".encode(), b"#[x]?.txt", b"bad\xff.docx"):
        (own / os.fsdecode(name)).write_text(f"Text {len(name)} of its own.")
    folder = run(tmp_path / "store", *DOCUMENTS, f"corpus.path={own}", until="ingest")["ingest"]
    found = list(Passages(folder))
    assert {os.fsencode(passage.document_id) for passage in found} == {
        b"caf\xe9.txt",
        "ça va\n.txt".encode(),
        b"#[x]?.txt",
    }
    report = json.loads((folder / "ingest_report.json").read_text())
    assert [os.fsencode(row["file"]) for row in report["not_read"]] == [b"bad\xff.docx"]


NAMES = [f"{first}{last}" for first in ("Vel", "Har", "Cal", "Gar") for last in ("mor", "wick", "ton", "ford", "by")]


@pytest.mark.slow
def test_a_study_of_documents_is_split_by_document(tmp_path):
    folder = tmp_path / "own"
    (folder / "towns").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        text = f"{name} lies inland. Its mill was built in {1700 + number}.\n\n" + f"{name} is small and quiet. " * 9
        (folder / "towns" / f"{name}.txt").write_text(text)
    asked = (
        {
            "question": f"When was the mill of {name} built?",
            "answers": [str(1700 + number)],
            "document_id": f"towns/{name}.txt",
        }
        for number, name in enumerate(NAMES)
    )
    questions = lines(tmp_path / "q.jsonl", *asked)
    rooms = run(
        tmp_path / "store",
        *DOCUMENTS,
        f"corpus.path={folder}",
        f"corpus.questions={questions}",
        "corpus.chunk.size=30",
        "corpus.chunk.overlap=0",
        "dataset.num_distractors=2",
        "evaluation.num_distractors=2",
        "dataset.p=1",
    )
    rows = list(read_jsonl(rooms["dataset[raft]"] / "rows.jsonl", Example))
    tested = list(read_jsonl(rooms["dataset[test]"] / "rows.jsonl", Example))
    assert [len(tested), [row.split for row in rows].count("train")] == [4, 14]
    for row in [*rows, *tested]:
        (gold,) = [passage for passage in row.context if passage.gold]
        assert gold.place == "paragraph 1" or gold.place == "paragraphs 1-2"
        assert "mill was built" in gold.text
    held = {passage.document_id for row in tested for passage in row.context if passage.gold}
    assert not held & {passage.document_id for row in rows for passage in row.context}


def test_without_questions_it_is_said_what_is_missing(own, tmp_path):
    remedies = r"corpus\.questions: has no value.*JSON lines file with the fields .*document_id .*teacher=openai"
    with pytest.raises(DataError, match=remedies):
        run(tmp_path, *DOCUMENTS, f"corpus.path={own}")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ([], r"corpus\.path: has no value; set corpus\.path=FOLDER"),
        (["corpus.path=nowhere"], r"corpus\.path='nowhere': no such file or folder"),
        (["corpus.path={}"], r": this folder has no files \(.*\); give a folder with documents"),
    ],
)
def test_where_there_is_nothing_it_is_said(tmp_path, how, told):
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match=told):
        run(tmp_path / "store", "corpus=documents", *(one.format(tmp_path / "bare") for one in how), until="ingest")


def test_a_folder_of_bad_files_alone_says_why(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"no file gave a passage: 1 file was not read: a\.txt \(empty: 0 bytes\)"):
        ingested(tmp_path / "own", tmp_path)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("corpus.chunk.overlap=256", r"corpus\.chunk\.overlap: got 256; must be less than corpus\.chunk\.size=256"),
        ("corpus.chunk.size=0", r"corpus\.chunk\.size: got 0; must be greater than or equal to 1"),
        ("corpus.on_error=ignore", r"corpus\.on_error: got 'ignore'; must be"),
        ("+corpus.chunk.sizes=3", r"corpus\.chunk\.sizes: no such setting; did you mean 'size'"),
        ("corpus.limits.seconds=0", r"corpus\.limits\.seconds: got 0; must be greater than 0"),
    ],
)
def test_settings_that_cannot_be(override, told):
    with pytest.raises(ConfigError, match=told):
        parse(compose("corpus=documents", override))
