"""Files that are fetched from where their authors put them."""

import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import web


class _Server(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = self.path.startswith("/data")
        self.send_response(200 if known else 404)
        if "chunks" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", "9" if "cut" in self.path else "4")
        self.end_headers()
        self.wfile.write(b"9\r\nrows" if "chunks" in self.path else b"rows")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    _Server.asked.clear()
    with HTTPServer(("127.0.0.1", 0), _Server) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_file_is_fetched_once(server: str, tmp_path: Path) -> None:
    for _ in range(2):
        file = web.fetch(f"{server}/data/file.jsonl.gz")
        assert (file.name, file.read_bytes()) == ("file.jsonl.gz", b"rows")
    assert file.is_relative_to(tmp_path)
    assert _Server.asked == ["/data/file.jsonl.gz"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/data/cut", "5 bytes are missing"), ("/data/chunks", r"IncompleteRead\(.*\)"), ("/other", "Not Found")],
)
def test_what_cannot_be_fetched_is_one_line_and_leaves_no_file(
    server: str, tmp_path: Path, path: str, reason: str
) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match=rf"{path} cannot be fetched: .*{reason}; copy the file to this") as error:
            web.fetch(server + path)
        assert "\n" not in str(error.value)
        assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_two_processes_that_fetch_one_file_write_two(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, asked = shutil.copyfileobj, f"{server}/data/file"

    def held_up(answer: Any, file: Any) -> None:
        copy(answer, file)
        monkeypatch.setattr(shutil, "copyfileobj", copy)
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: 1)
            assert web.fetch(asked).read_bytes() == b"rows"
        assert len(list(tmp_path.rglob("file*"))) == 2, "theirs is done, ours is not"

    monkeypatch.setattr(shutil, "copyfileobj", held_up)
    assert web.fetch(asked).read_bytes() == b"rows"
    assert [file.name for file in tmp_path.rglob("file*")] == ["file"]


def test_offline_nothing_is_asked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="it is not in the cache, and HF_HUB_OFFLINE is set"):
        web.fetch(f"{server}/data/x")
    assert _Server.asked == []
