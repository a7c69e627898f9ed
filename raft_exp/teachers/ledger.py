"""The ledger of a teacher: the reply to each request, on one line of a file, so that no request is paid twice.

    store/ledger/<model>.jsonl     {"key": ..., "task": ..., "attempt": 0, "model": ..., "answer": ..., "finish": ...,
                                    "prompt_tokens": ..., "new_tokens": ..., "seconds": ..., "cost": ...}
    store/ledger/<model>.claims    empty; one byte of it is locked for each request in flight

All studies share the lines. A line is appended under a lock as soon as its reply arrives, and is on the disk before the
reply counts as done. A claim is a lock of the operating system, which ends with its process in any case: two runs at
once pay for a request only once, and no run waits for a dead one.
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
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import StoreError
from raft_exp.core.records import dumps, parse

log = logging.getLogger(__name__)

_BEGIN = b'{"key": "'
_KEY = slice(len(_BEGIN), len(_BEGIN) + 64)
_CHUNK = 1 << 22
_LENGTH = 32  # bits of an index entry that hold a line's length; the others hold its place
_POLL = 0.2  # seconds between two checks for the replies of another run


@dataclass(frozen=True)
class LedgerEntry:
    """The reply to a request."""

    answer: str
    finish: str  # stop | length (cut off) | filtered (withheld by the server) | refused (never in the file)
    prompt_tokens: int  # 0 where the server gives none
    new_tokens: int
    seconds: float
    cost: float | None  # None without prices


def fixed(parameters: Mapping[str, object]) -> str:
    """The parameters that many requests share (model, sampling, task and its version, attempt), in a fixed form."""
    return json.dumps(parameters, sort_keys=True)


def request_key(parameters: str, messages: Sequence[Mapping[str, str]]) -> str:
    """sha256 of a request: its parameters in the form of `fixed`, and its messages."""
    parts = [parameters.encode()]
    for message in messages:
        for part in (message["role"], message["content"]):
            data = part.encode("utf-8", "surrogatepass")
            parts += (b"%d:" % len(data), data)
    return hashlib.sha256(b"".join(parts)).hexdigest()


class Ledger:
    """The replies of one model. Safe for threads. Use `opened`: a process must open a file only once."""

    def __init__(self, folder: Path, model: str) -> None:
        self.path = _file(folder, model)
        with _explained(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            # Must not be opened twice in a process: closing one of the two would release all claims.
            self._claims = os.open(self.path.with_suffix(".claims"), os.O_RDWR | os.O_CREAT, 0o644)
        self._guard = threading.Lock()
        self._index: dict[bytes, int] = {}
        self._end = 0  # end in the file of the lines that are in the index
        self._claimed: set[int] = set()
        with self._guard, self._alone():
            self._mend()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._index

    def get(self, key: str) -> LedgerEntry | None:
        """The reply to a request; None where the lines read so far (`refresh`) have none."""
        place = self._index.get(bytes.fromhex(key))
        if place is None:
            return None
        try:
            return parse(LedgerEntry, os.pread(self._file, place & ((1 << _LENGTH) - 1), place >> _LENGTH))
        except ValueError as error:
            raise StoreError(
                f"ledger {self.path}: the line of request {key} is damaged ({error}); remove the line, and the "
                "request is sent again"
            ) from error

    def refresh(self) -> None:
        """Reads the lines that other processes have written since."""
        if os.fstat(self._file).st_size > self._end:
            with self._guard:
                self._read()

    def write(self, rows: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Appends replies, given as (request key, row). They survive the end of this process. Raises StoreError."""
        lines = [dumps({"key": key, **row}).encode() for key, row in rows]
        with _explained(self.path), self._guard, self._alone():
            if os.fstat(self._file).st_size != self._end:  # others have written, or were killed while writing
                self._mend()
            self._write(b"".join(line + b"\n" for line in lines))
            for line in lines:
                self._note(line)
                self._end += len(line) + 1

    def sync(self) -> None:
        """Waits until all written lines are on the disk."""
        with _explained(self.path):
            os.fsync(self._file)

    def claim(self, key: str) -> bool:
        """Claims a request for this process; False where another process has claimed it, or the reply exists."""
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
        """Releases claims, once the replies are written or given up."""
        with self._guard:
            for place in map(_place, keys):
                if place in self._claimed:
                    self._claimed.remove(place)
                    fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, place)

    def wait(self, keys: Iterable[str]) -> Iterator[None]:
        """Waits until other runs have answered or given up these requests; yields between two checks."""
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
        """Reads all lines, and cuts an incomplete last line of a killed run. The caller holds the file's lock."""
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
            log.warning("%s: %d lines have another form and are ignored", self.path, broken)

    def _note(self, line: bytes) -> bool:
        """Adds a line to the index; False where it is no line of a ledger. The first reply to a request stays."""
        if not (line.startswith(_BEGIN) and line.endswith(b"}")):
            return not line.strip()
        try:
            key = bytes.fromhex(line[_KEY].decode())
        except ValueError:
            return False
        self._index.setdefault(key, self._end << _LENGTH | len(line))
        return True


def has_answers(folder: str | Path, model: str) -> bool:
    """Whether the ledger of a model has any reply; does not open it."""
    file = _file(Path(folder), model)
    return file.exists() and file.stat().st_size > 0


def _file(folder: Path, model: str) -> Path:
    return folder / (re.sub(r"[^\w.-]+", "_", model)[:100] + ".jsonl")


_opened: dict[Path, Ledger] = {}


def opened(folder: str | Path, model: str) -> Ledger:
    """The ledger of a model in a folder, with all lines read; a process has one per file."""
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
            f"ledger {path}: {error.strerror or error}; free disk space or fix its rights: a reply that is not written "
            "is paid again"
        ) from error
