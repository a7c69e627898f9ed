"""Reads documents in child processes.

A document that hangs, exhausts memory or crashes its reader ends only its own process.
"""

import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from raft_exp.core.errors import DataError
from raft_exp.core.files import write_atomically
from raft_exp.corpora.documents.extraction import Header, Reply, Settings
from raft_exp.corpora.documents.folder import File

_START = 120.0  # seconds that a process may take to start
_LONGEST = 1 << 20  # bytes of a reply


@dataclass(frozen=True)
class ReadDocument:
    """The result of reading a document."""

    key: str  # name of its files in the cache, without suffixes; "" if the document could not be opened
    header: Header
    anew: bool  # read in this run, not from the cache


def read_all(
    files: Sequence[File], settings: Settings, scratch: Path, workers: int
) -> Iterator[tuple[int, ReadDocument]]:
    """Yields (index in `files`, result) in the order of completion. `workers`: the largest number of processes.

    Raises DataError if a process does not start, or fails for a reason other than its document.
    """
    readers = [_Reader(settings, scratch) for _ in range(min(workers, len(files)))]
    free: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
    for reader in readers:
        free.put(reader)

    def read(index: int) -> tuple[int, ReadDocument]:
        reader = free.get()
        try:
            return index, reader.read(files[index])
        finally:
            free.put(reader)

    # The threads only wait for the processes.
    with ThreadPoolExecutor(max(1, len(readers))) as threads:
        try:
            for future in as_completed([threads.submit(read, index) for index in range(len(files))]):
                yield future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for reader in readers:
                reader.close()


class _Reader:
    """Reads documents in a child process. Starts a new process after one has ended."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._settings, self._scratch = settings, scratch
        self._child: _Child | None = None
        self._closed = False

    def read(self, file: File) -> ReadDocument:
        """Reads a document. Raises DataError for a failure that the document did not cause (a full disk)."""
        child = self._child = self._child or _Child(self._settings, self._scratch)
        key = ""
        deadline = time.monotonic() + self._settings.seconds
        child.send({"name": file.name, "path": str(file.path)})
        while reply := child.receive(deadline):
            key = reply.get("key", key)
            if reply["kind"] == "failed":
                raise DataError(
                    f"{file.path}: could not be read, and the file is not the cause: {reply['error']}; correct this (a "
                    "full disk?) and start again"
                )
            if reply["kind"] == "done":
                header = reply["header"]
                if reply["last"]:
                    self._end()
                return self._result(key, header, reply["anew"], header.get("reason") == "too much memory")
        timed_out = time.monotonic() >= deadline
        status, peak_mb = child.end()
        self._child = None
        if self._closed:
            raise KeyboardInterrupt
        return self._result(key, self._failure(timed_out, status, peak_mb), anew=True, remember=True)

    def _failure(self, timed_out: bool, status: int, peak_mb: float) -> Header:
        """Returns a header with the reason why a process ended before its document was read."""
        limits = self._settings
        if timed_out:
            return {"reason": "took too long", "detail": f"more than corpus.limits.seconds={limits.seconds:g}"}
        if status == -signal.SIGKILL or peak_mb > 0.9 * limits.memory_mb:
            return {"reason": "too much memory", "detail": f"more than corpus.limits.memory_mb={limits.memory_mb}"}
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return {"reason": "damaged", "detail": f"its reader crashed ({name})"}

    def _result(self, key: str, header: Header, anew: bool, remember: bool) -> ReadDocument:
        """Returns the result of reading a document.

        `remember`: also caches a failure, so that the document is not read again under the same limits.
        """
        if remember and key:
            write_atomically(self._settings.over_limits(key), json.dumps(header) + "\n")
        return ReadDocument(key, header, anew)

    def close(self) -> None:
        """Ends the process, even while it reads a document."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child:
            child.end()


class _Child:
    """A process that runs `child.py`. Raises DataError if it does not start."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe could fill up and block the child
        arguments = [json.dumps(asdict(settings)), str(scratch), str(os.getpid())]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "raft_exp.corpora.documents.child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        self._buffer, self._closed_output = b"", False
        self._exit: tuple[int, float] | None = None  # status, peak in MB
        self._ending = Lock()
        if self.receive(time.monotonic() + _START) is None:
            self.end()
            self._stderr.seek(0)
            silent = f"no message, perhaps not ready after {_START:g} s; start again when the machine is less busy"
            lines = self._stderr.read().decode(errors="replace").strip().splitlines() or [silent]
            raise DataError(f"corpus=documents: the process that reads files does not start: {lines[-1]}")

    def send(self, document: dict[str, str]) -> None:
        """Sends {name, path} of a document to read."""
        with suppress(OSError):  # the process has ended: `receive` reports it
            self._in.write(json.dumps(document).encode() + b"\n")
            self._in.flush()

    def receive(self, deadline: float) -> Reply | None:
        """Returns the next reply; None at the deadline, after the end of the process, and for a line that is too long.

        `deadline`: a time of `time.monotonic`, in seconds.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                data = os.read(self._out.fileno(), 1 << 16)
                self._buffer += data
                self._closed_output = not data
                if not data or len(self._buffer) > _LONGEST:
                    return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: Reply = json.loads(line)
        return reply

    def end(self) -> tuple[int, float]:
        """Kills the process if it still runs. Returns its exit status (negative: a signal) and peak memory in MB."""
        with self._ending:
            if self._exit is None:
                if not self._closed_output:
                    os.kill(self._process.pid, signal.SIGKILL)  # Popen.kill may reap it first, and its usage is lost
                _, status, usage = os.wait4(self._process.pid, 0)
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._exit = self._process.returncode, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
                for file in (self._in, self._out):
                    with suppress(OSError):  # unsent input
                        file.close()
            return self._exit
