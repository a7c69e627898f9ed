"""The ledger of a model: a file with one line for each reply, so that no request is paid twice.

    store/ledger/<model>.jsonl     {"key": ..., "task": ..., "version": 1, "attempt": 0, "model": ..., "served_by": ...,
                                    "answer": ..., "finish": ..., "prompt_tokens": ..., "new_tokens": ...,
                                    "seconds": ..., "cost": ...}
    store/ledger/<model>.claims    empty; one byte of it is locked for each request in flight

All studies share the ledger. A reply is appended under a lock as soon as it arrives. The runner flushes the file to the
disk (`sync`) after each group of replies.

A claim is a file lock of the operating system on one request. A lock ends with the process that holds it. So two runs
at the same time pay for a request only once, and no run waits for a run that was killed.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raft_exp.core.errors import StoreError
from raft_exp.core.records import dumps, parse

log = logging.getLogger(__name__)

_BEGIN = b'{"key": "'
_KEY = slice(len(_BEGIN), len(_BEGIN) + 64)
_CHUNK = 1 << 22
_LENGTH = 32  # lower bits of an index entry: length of the line in bytes; the upper bits: its offset in the file
_POLL = 0.2  # seconds between two checks for the replies of another run


@dataclass(frozen=True)
class LedgerEntry:
    """The reply to a request."""

    answer: str
    finish: str  # stop | length (cut off) | filtered (withheld by the server) | refused (no reply; not in the file)
    prompt_tokens: int  # 0 where the server does not count tokens
    new_tokens: int
    seconds: float
    cost: float | None  # None without prices
    key: str = field(default="", compare=False)  # of the request; "" for a reply that is not in the file


def fixed(parameters: Mapping[str, object]) -> str:
    """Returns the parameters that many requests share (model, sampling, task, attempt) as JSON with sorted keys."""
    return json.dumps(parameters, sort_keys=True)


def request_key(parameters: str, messages: Sequence[Mapping[str, str]]) -> str:
    """Returns the sha256 of a request, from its parameters (the result of `fixed`) and its messages."""
    parts = [parameters.encode()]
    for message in messages:
        for part in (message["role"], message["content"]):
            data = part.encode("utf-8", "surrogatepass")
            parts += (b"%d:" % len(data), data)
    return hashlib.sha256(b"".join(parts)).hexdigest()


class Ledger:
    """The replies of one model. Thread-safe. Create it with `opened`, as a process must open a ledger only once."""

    def __init__(self, folder: Path, model: str) -> None:
        self.path = _file(folder, model)
        with _explained(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            # Must not be opened twice in a process: closing one of the two would release all claims.
            self._claims = os.open(self.path.with_suffix(".claims"), os.O_RDWR | os.O_CREAT, 0o644)
        self._guard = threading.Lock()
        self._index: dict[bytes, int] = {}
        self._end = 0  # offset in the file after the last line that is in the index
        self._claimed: set[int] = set()
        with self._guard, self._alone():
            self._mend()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._index

    def get(self, key: str) -> LedgerEntry | None:
        """Returns the reply to a request; None if no line read so far (see `refresh`) has a reply.

        Raises StoreError for a damaged line.
        """
        place = self._index.get(bytes.fromhex(key))
        if place is None:
            return None
        try:
            return parse(LedgerEntry, os.pread(self._file, place & ((1 << _LENGTH) - 1), place >> _LENGTH))
        except ValueError as error:
            raise StoreError(
                f"ledger {self.path}: the line of request {key} is damaged ({error}); remove this line and run the "
                "study again, which sends the request again"
            ) from error

    def refresh(self) -> None:
        """Reads the lines that other processes have appended since the last call."""
        if os.fstat(self._file).st_size > self._end:
            with self._guard:
                self._read()

    def write(self, rows: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Appends replies, as (request key, row). A kill of this process does not lose them.

        Raises StoreError where the file cannot be written.
        """
        lines = [dumps({"key": key, **row}).encode() for key, row in rows]
        with _explained(self.path), self._guard, self._alone():
            if os.fstat(self._file).st_size != self._end:  # others have written, or were killed while writing
                self._mend()
            self._write(b"".join(line + b"\n" for line in lines))
            for line in lines:
                self._note(line)
                self._end += len(line) + 1

    def sync(self) -> None:
        """Flushes all written lines to the disk. Raises StoreError where this fails."""
        with _explained(self.path):
            os.fsync(self._file)

    def claim(self, key: str) -> bool:
        """Claims a request for this process. Returns False if the request is claimed already or has a reply."""
        place = _place(key)
        with self._guard:
            if place in self._claimed or not self._lock(place):
                return False
            self._claimed.add(place)
        self.refresh()
        if key in self:  # the reply was written before the claim
            self.release([key])
            return False
        return True

    def release(self, keys: Iterable[str]) -> None:
        """Releases the claims on requests whose replies are written, or which are not sent any more."""
        with self._guard:
            for place in map(_place, keys):
                if place in self._claimed:
                    self._claimed.remove(place)
                    fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, place)

    def wait(self, keys: Iterable[str]) -> Iterator[None]:
        """Waits until each request has a reply, or is no longer claimed by another run. Yields once for each check."""
        for key in keys:
            while key not in self and not self.claim(key):
                yield
                time.sleep(_POLL)
                self.refresh()
            self.release([key])

    def _lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _mend(self) -> None:
        """Reads all new lines and removes an incomplete last line of a killed run. The caller must hold the lock."""
        self._read()
        if os.fstat(self._file).st_size > self._end:
            os.ftruncate(self._file, self._end)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._end)
            raise

    def _read(self) -> None:
        rest, broken = b"", 0
        while chunk := os.pread(self._file, _CHUNK, self._end + len(rest)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                broken += not self._note(line)
                self._end += len(line) + 1
        if broken:
            log.warning("%s: %d lines are not replies of a ledger, and are not read; remove them", self.path, broken)

    def _note(self, line: bytes) -> bool:
        """Adds a line to the index, unless the index has its key. Returns False if it is neither a reply nor blank."""
        if not (line.startswith(_BEGIN) and line.endswith(b"}")):
            return not line.strip()
        try:
            key = bytes.fromhex(line[_KEY].decode())
        except ValueError:
            return False
        self._index.setdefault(key, self._end << _LENGTH | len(line))
        return True


def has_answers(folder: str | Path, model: str) -> bool:
    """Returns whether the ledger file of a model exists and is not empty. Does not open the ledger."""
    file = _file(Path(folder), model)
    return file.exists() and file.stat().st_size > 0


def _file(folder: Path, model: str) -> Path:
    return folder / (re.sub(r"[^\w.-]+", "_", model)[:100] + ".jsonl")


_opened: dict[Path, Ledger] = {}


def opened(folder: str | Path, model: str) -> Ledger:
    """Returns the ledger of a model in a folder, with all lines read. A process has one object for each ledger file.

    Raises StoreError where the file cannot be opened.
    """
    place = Path(folder).absolute() / model
    if place not in _opened or not _opened[place].path.exists():
        _opened[place] = Ledger(Path(folder).absolute(), model)
    _opened[place].refresh()
    return _opened[place]


def _place(key: str) -> int:
    return int(key[:15], 16)  # 60 bits: a valid offset in a file


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"ledger {path}: {error.strerror or error}; free disk space, or make the file writable (a reply that is "
            "not stored must be paid again)"
        ) from error
