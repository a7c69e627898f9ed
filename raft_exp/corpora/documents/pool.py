"""Documents are read in processes of their own: one that hangs, grows or breaks its reader costs its process alone."""

import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.core.files import write_atomically
from raft_exp.corpora.documents.extraction import Settings
from raft_exp.corpora.documents.folder import Found

_START = 120.0  # seconds that a process may take to begin
_LONGEST = 1 << 20  # bytes of an answer


@dataclass(frozen=True)
class ReadDocument:
    """What came of a document: `header` says what it is or why it was not read, `anew` whether it had to be opened."""

    key: str
    header: Mapping[str, Any]
    anew: bool


def read_all(
    files: Sequence[Found], settings: Settings, scratch: Path, workers: int
) -> Iterator[tuple[int, ReadDocument]]:
    """(place in `files`, what came of it), in the order in which they are done."""
    readers = [_Reader(settings, scratch) for _ in range(min(workers, len(files)))]
    free: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
    for reader in readers:
        free.put(reader)

    def one(place: int) -> tuple[int, ReadDocument]:
        reader = free.get()
        try:
            return place, reader.read(files[place])
        finally:
            free.put(reader)

    # The threads only wait: each for the process that it started.
    with ThreadPoolExecutor(max(1, len(readers))) as threads:
        try:
            for done in as_completed([threads.submit(one, place) for place in range(len(files))]):
                yield done.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for reader in readers:
                reader.close()


class _Reader:
    """Reads documents in a process, and starts another one where that ended."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._settings, self._scratch = settings, scratch
        self._child: _Child | None = None
        self._closed = False

    def read(self, file: Found) -> ReadDocument:
        """What came of a document. Raises DataError where the trouble is not the document's (a full disk)."""
        child = self._child = self._child or _Child(self._settings, self._scratch)
        key = ""
        deadline = time.monotonic() + self._settings.seconds
        child.tell({"name": file.name, "path": str(file.path)})
        while row := child.hear(deadline):
            key = row.get("key", key)
            if row["said"] == "failed":
                raise DataError(f"{file.path}: could not be read in, by no fault of its own: {row['error']}")
            if row["said"] == "done":
                if row["last"]:
                    self._end()
                return self._settled(key, row["header"], row["anew"], row["header"].get("reason") == "too much memory")
        late = time.monotonic() >= deadline
        status, peak_mb = child.end()
        self._child = None
        if self._closed:
            raise KeyboardInterrupt
        return self._settled(key, self._broken(late, status, peak_mb), anew=True, keep=True)

    def _broken(self, late: bool, status: int, peak_mb: float) -> dict[str, str]:
        """Why a process did not come back from a document."""
        limits = self._settings
        if late:
            return {"reason": "took too long", "detail": f"more than corpus.limits.seconds={limits.seconds:g}"}
        if status == -signal.SIGKILL or peak_mb > 0.9 * limits.memory_mb:
            return {"reason": "too much memory", "detail": f"more than corpus.limits.memory_mb={limits.memory_mb}"}
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return {"reason": "damaged", "detail": f"its reader broke down over it ({name})"}

    def _settled(self, key: str, header: dict[str, Any], anew: bool, keep: bool) -> ReadDocument:
        """`keep`: it is not tried again while the limits are these."""
        if keep and key:
            write_atomically(self._settings.over_limits(key), json.dumps(header) + "\n")
        return ReadDocument(key, header, anew)

    def close(self) -> None:
        """Ends the process, also in the middle of a document."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child:
            child.end()


class _Child:
    """One process (`child.py`). Raises DataError when it does not begin."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # not a pipe, that nobody would empty
        told = [json.dumps(asdict(settings)), str(scratch), str(os.getpid())]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "raft_exp.corpora.documents.child", *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out, self._heard, self._silent = self._process.stdin, self._process.stdout, b"", False
        self._gone: tuple[int, float] | None = None
        self._ending = Lock()
        if self.hear(time.monotonic() + _START) is None:
            self.end()
            self._printed.seek(0)
            lines = self._printed.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise DataError(f"corpus=documents: the process that reads does not begin: {lines[-1]}")

    def tell(self, job: dict[str, str]) -> None:
        """Gives it a document."""
        with suppress(OSError):  # it has ended, which is heard
            self._in.write(json.dumps(job).encode() + b"\n")
            self._in.flush()

    def hear(self, deadline: float) -> dict[str, Any] | None:
        """Its next answer; None at the deadline, or where it ended or rambles."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while b"\n" not in self._heard:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                data = os.read(self._out.fileno(), 1 << 16)
                self._heard += data
                self._silent = not data
                if not data or len(self._heard) > _LONGEST:
                    return None
        line, _, self._heard = self._heard.partition(b"\n")
        row: dict[str, Any] = json.loads(line)
        return row

    def end(self) -> tuple[int, float]:
        """(its exit status, below 0 for a signal, and its peak in MB); killed where it has not ended by itself."""
        with self._ending:
            if self._gone is None:
                if not self._silent:
                    os.kill(self._process.pid, signal.SIGKILL)  # Popen's own may ask for its status before we do
                _, status, usage = os.wait4(self._process.pid, 0)
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._gone = self._process.returncode, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
                for file in (self._in, self._out):
                    with suppress(OSError):  # what it was not told any more
                        file.close()
            return self._gone
