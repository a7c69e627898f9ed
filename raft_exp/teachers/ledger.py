"""What was asked of a model and what it answered, one line a request: paid once, whatever becomes of the run.

    store/ledger/<model>.jsonl     {"key": ..., "task": ..., "attempt": 0, "model": ..., "answer": ..., "finish": ...,
                                    "prompt_tokens": ..., "new_tokens": ..., "seconds": ..., "cost": ...}
    store/ledger/<model>.claims    empty; a byte of it is locked for every request under way

Any study that asks the same again finds the line. Lines are appended under a lock, at once when a reply comes, and are
on the disk before they count. A claim is a lock of the operating system: it ends with its process, however that ends,
so that two runs at once pay once and nobody waits for a dead one.
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
from typing import Any

from raft_exp.core.errors import StoreError
from raft_exp.core.records import dumps, parse

log = logging.getLogger(__name__)

_BEGIN = b'{"key": "'
_KEY = slice(len(_BEGIN), len(_BEGIN) + 64)
_CHUNK = 1 << 22
_LENGTH = 32  # bits of an index entry that hold a line's length; the others hold its place
_POLL = 0.2  # seconds between two looks at what another run is asking


@dataclass(frozen=True)
class LedgerEntry:
    """An answer that is in the ledger."""

    answer: str
    finish: str  # stop | length (cut off) | filtered (withheld by the server)
    prompt_tokens: int  # 0 where the server does not say
    new_tokens: int
    seconds: float
    cost: float | None  # None: no price was known


def fixed(asked: Mapping[str, Any]) -> str:
    """What many requests share (model, parameters, task and its version, attempt), in one form."""
    return json.dumps(asked, sort_keys=True)


def request_key(asked: str, messages: Sequence[Mapping[str, str]]) -> str:
    """sha256 of all that makes a request: what is `fixed`, and the messages."""
    parts = [asked.encode()]
    for message in messages:
        for part in (message["role"], message["content"]):
            data = part.encode("utf-8", "surrogatepass")
            parts += (b"%d:" % len(data), data)
    return hashlib.sha256(b"".join(parts)).hexdigest()


class Ledger:
    """The answers of one model. Safe for threads; `opened` gives the one that a process has of a file."""

    def __init__(self, folder: Path, model: str) -> None:
        self.path = _file(folder, model)
        with _explained(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            # Never opened twice in a process: closing one of the two would end all claims.
            self._claims = os.open(self.path.with_suffix(".claims"), os.O_RDWR | os.O_CREAT, 0o644)
        self._guard = threading.Lock()
        self._index: dict[bytes, int] = {}
        self._end = 0  # of the lines that are in the index
        self._claimed: set[int] = set()
        with self._guard, self._alone():
            self._mend()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._index

    def get(self, key: str) -> LedgerEntry | None:
        """The answer to a request, as far as this process has read; None where there is none."""
        place = self._index.get(bytes.fromhex(key))
        if place is None:
            return None
        try:
            return parse(LedgerEntry, os.pread(self._file, place & ((1 << _LENGTH) - 1), place >> _LENGTH))
        except ValueError as error:
            raise StoreError(
                f"ledger {self.path}: the line of request {key} is damaged ({error}); remove it, and it is asked again"
            ) from error

    def refresh(self) -> None:
        """Takes in what other processes have written meanwhile."""
        if os.fstat(self._file).st_size > self._end:
            with self._guard:
                self._read()

    def write(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Writes answers: the end of this process loses none of them. StoreError when they cannot be written."""
        lines = [dumps({"key": key, **row}).encode() for key, row in rows]
        with _explained(self.path), self._guard, self._alone():
            if os.fstat(self._file).st_size != self._end:  # others have written, or were killed while they wrote
                self._mend()
            self._write(b"".join(line + b"\n" for line in lines))
            for line in lines:
                self._note(line)
                self._end += len(line) + 1

    def sync(self) -> None:
        """What was written is on the disk when this returns."""
        with _explained(self.path):
            os.fsync(self._file)

    def claim(self, key: str) -> bool:
        """Whether this process may ask now: nobody else is asking, and there is no answer yet."""
        place = _place(key)
        with self._guard:
            if place in self._claimed or not self._lock(place):
                return False
            self._claimed.add(place)
        self.refresh()
        if key in self:  # answered between our last look and the claim
            self.release([key])
            return False
        return True

    def release(self, keys: Iterable[str]) -> None:
        """Gives claims back: the answers are written, or will not come."""
        with self._guard:
            for place in map(_place, keys):
                if place in self._claimed:
                    self._claimed.remove(place)
                    fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, place)

    def wait(self, keys: Iterable[str]) -> Iterator[None]:
        """Ends when other runs have answered these requests or given them up; yields between two looks."""
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
        """Takes in all lines, and cuts a last one that a killed run left half-written: nobody else is writing now."""
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
            log.warning("%s: %d lines are not the ledger's and are passed over", self.path, broken)

    def _note(self, line: bytes) -> bool:
        """The first answer to a request stays: every run learns the same."""
        if not (line.startswith(_BEGIN) and line.endswith(b"}")):
            return not line.strip()
        try:
            key = bytes.fromhex(line[_KEY].decode())
        except ValueError:
            return False
        self._index.setdefault(key, self._end << _LENGTH | len(line))
        return True


def has_answers(folder: str | Path, model: str) -> bool:
    """Whether a model was ever asked; without opening its ledger."""
    file = _file(Path(folder), model)
    return file.exists() and file.stat().st_size > 0


def _file(folder: Path, model: str) -> Path:
    return folder / (re.sub(r"[^\w.-]+", "_", model)[:100] + ".jsonl")


_opened: dict[Path, Ledger] = {}


def opened(folder: str | Path, model: str) -> Ledger:
    """The ledger of a model in a folder, up to date."""
    place = Path(folder).absolute() / model
    if place not in _opened or not _opened[place].path.exists():
        _opened[place] = Ledger(Path(folder).absolute(), model)
    _opened[place].refresh()
    return _opened[place]


def _place(key: str) -> int:
    return int(key[:15], 16)  # 60 bits: a place in a file


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"ledger {path}: {error.strerror or error}; free space or rights there: an answer that is not written is "
            "paid again"
        ) from error
