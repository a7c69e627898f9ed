"""Files made to hurt, and kills: each costs its own process, and what was read stays."""

import json
import subprocess
import sys
import time

import pytest

from raft_exp.corpora import open_corpus
from raft_exp.pipeline.parsing import parse
from tests.helpers import documents as made
from tests.helpers.command_line import data_files, environment, raft_exp, start, wait_until
from tests.helpers.composing import compose

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(body):
    """A Word file whose document.xml is `body`."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(made.docx())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return made.zipped({**members, "word/document.xml": body.encode()})


def bomb():
    """Unpacks to 100 times its size, and to more than that in memory."""
    return word(f"<w:document {W}><w:body>{'<w:p><w:r><w:t>lorem</w:t></w:r></w:p>' * 1_000_000}</w:body></w:document>")


def laughs():
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return word(
        f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{entities}]>'
        f"<w:document {W}><w:body><w:p><w:r><w:t>&l11;</w:t></w:r></w:p></w:body></w:document>"
    )


def macros():
    """Each macro gives ten of the one before."""
    names = "abcdefghijkl"
    bodies = ["ha", *("\\" + name + " " for name in names)]
    text = "".join(f"\\newcommand{{\\{name}}}{{{body * 10}}}" for name, body in zip(names, bodies, strict=False))
    return (text + "\\l").encode()


_ANY = {"damaged", "took too long", "too much memory"}
HOSTILE = {
    "bomb.docx": (bomb, {"too much memory"}),
    "laughs.docx": (laughs, {"damaged", "too much memory"}),
    "deep.json": (lambda: b"[" * 200_000 + b"]" * 200_000, {"damaged"}),
    "deep_object.json": (lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000, {"damaged"}),
    "field.csv": (lambda: b'id,text\n1,"' + b"word " * 5_000_000 + b'"\n', {"took too long", "too much memory"}),
    "macros.tex": (macros, _ANY),
    "deep.tex": (lambda: b"{" * 100_000 + b"x" + b"}" * 100_000, _ANY),
    "deep.rst": (lambda: b"\n\n".join(b"  " * n + b"* x" for n in range(3_000)), _ANY),
    "zero.txt": (lambda: bytes(3_000_000), {"not what its suffix says"}),
    "large.txt": (lambda: b"x" * (31 << 20), {"too large"}),
}
# Reads the folder and says what came of it, and how far the memory of this process grew.
SCRIPT = """
import json, resource, sys
from raft_exp.pipeline.parsing import parse
from raft_exp.corpora import open_corpus
from tests.helpers.composing import compose
opened = open_corpus(parse(compose(*sys.argv[1:])).corpus)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in opened.passages())
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps({"grown": grown, "count": count, "bad": opened.report.bad}))
"""


def measured(*overrides):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "corpus=documents", *overrides],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_files_made_to_hurt_hurt_nobody_else(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name, (data, _) in HOSTILE.items():
        (own / name).write_bytes(data())
    (own / "zz.txt").write_text("A good file. It is read last.")
    limits = ("corpus.limits.seconds=60", "corpus.limits.memory_mb=150", "corpus.limits.file_mb=30")
    start = time.monotonic()
    told = measured(f"corpus.path={own}", f"store={tmp_path / 'store'}", *limits)
    taken = time.monotonic() - start
    for name, (_, reasons) in HOSTILE.items():
        assert told["bad"][name]["reason"] in reasons, told["bad"][name]
    assert told["bad"].keys() == HOSTILE.keys()
    assert told["count"] == 1
    assert told["grown"] < 200
    assert taken < 60 * len(HOSTILE) + 30, "no file takes longer than its limit"


@pytest.mark.slow
def test_real_defects_cost_the_parent_nothing(test_data, tmp_path):
    told = measured(f"corpus.path={test_data / 'documents' / 'broken'}", f"store={tmp_path}")
    assert told["grown"] < 200
    assert told["count"] > 50
    assert len(told["bad"]) == 13


def opened(folder, tmp_path, *overrides):
    how = ("corpus=documents", f"corpus.path={folder}", f"store={tmp_path / 'store'}", "corpus.workers=1", *overrides)
    return open_corpus(parse(compose(*how)).corpus)


@pytest.mark.slow
def test_a_file_over_the_limits_is_tried_again_only_under_others(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "slow.txt").write_text("a. \n\n" * 2_000_000)
    (own / "zz.txt").write_text("A good file.")
    first = opened(own, tmp_path, "corpus.limits.seconds=3")
    assert [passage.document_id for passage in first.passages()] == ["zz.txt"]
    assert first.report.bad == {"slow.txt": {"reason": "took too long", "detail": "more than corpus.limits.seconds=3"}}
    again = opened(own, tmp_path, "corpus.limits.seconds=3")
    assert [passage.document_id for passage in again.passages()] == ["zz.txt"]
    assert (again.report.anew, again.report.bad) == (0, first.report.bad)


def test_a_full_disk_is_no_defect_of_a_document(tmp_path, monkeypatch):
    from raft_exp.core.errors import DataError

    (tmp_path / "a.txt").write_text("Text.")
    import raft_exp.corpora.documents as documents

    monkeypatch.setattr(documents, "_scratch", lambda cache: tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"a\.txt: could not be read, and the file is not the cause: FileNotFoundError"):
        list(opened(tmp_path / "a.txt", tmp_path).passages())


@pytest.mark.slow
def test_a_killed_ingest_goes_on(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for number in range(12):
        (own / f"{number:02}.txt").write_text(f"Town {number} is old. It has {number} mills.\n\n" * 3_000)
    study = ("+experiment=documents", "model=tiny", "trainer=cpu", f"corpus.path={own}", "until=ingest")
    whole = tmp_path / "whole"
    whole.mkdir()
    done = raft_exp(whole, *study)
    assert done.returncode == 0, done.stderr
    killed = start(tmp_path, *study, "corpus.workers=1")
    wait_until(killed, lambda: len(list((tmp_path / "store" / "extracted").glob("*.jsonl"))) >= 5)
    killed.kill()
    time.sleep(0.3)
    left = subprocess.run(["pgrep", "-f", f"documents.child.*{tmp_path}/store"], capture_output=True, check=False)
    assert left.stdout == b"", "a reading process outlived its study"
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "extracted").glob("*.parts.jsonl")}
    assert 0 < len(kept) < 12
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "what was whole was read again"
    found = {name: data for name, data in data_files(tmp_path / "store").items() if "writing-" not in name}
    assert found == data_files(whole / "store")
