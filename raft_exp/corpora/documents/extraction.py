"""Reads one document into parts and cuts them into passages. Both are cached by content.

    <cache>/<key>.parts.jsonl       the header ({kind, title, warnings} or {reason, detail}), then the parts
    <cache>/<key>.<limits>.jsonl    the header of a document that exceeded these limits or crashed its reader
    <cache>/<key>.<chunks>.jsonl    the passages: {text, sentences, place, sketch}

With corpus.chunk.by=semantic, `semantic.py` cuts the passages. This module runs in the processes of `pool.py`. Each
file is written under a temporary name and then renamed.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from raft_exp.core.records import write_jsonl
from raft_exp.corpora.documents import chunks, near_copies
from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import Part, UnreadableError
from raft_exp.corpora.readers.documents.kinds import by_suffix


class Header(TypedDict, total=False):
    """The result of reading a document: kind, title and warnings.

    If the document could not be read, the header has `reason` and `detail` instead.
    """

    kind: str
    title: str
    warnings: list[str]
    reason: str
    detail: str


class Reply(TypedDict, total=False):
    """One line that a reading process sends to its parent."""

    kind: str  # ready | key | done | failed
    key: str
    header: Header
    anew: bool  # read in this run, not from the cache
    last: bool  # the process ends after this document
    error: str


@dataclass(frozen=True)
class Settings:
    """The settings for reading all documents of a collection. A change of `versions` changes all cache keys.

    `size` and `overlap` are in tokens (`units.py`); the limits are for one document.
    """

    cache: str
    versions: str
    size: int
    overlap: int
    seconds: float
    memory_mb: int
    file_mb: int
    by: chunks.By = "sentences"
    ocr: bool = False
    encoder: str = ""  # digest of the encoder that cuts the passages

    def key(self, name: str, data: bytes) -> str:
        """Returns the cache key of a document: a hash of its content, the format of its suffix, and `versions`.

        The suffix counts because the same bytes may be read as text or as Markdown.
        """
        content = hashlib.sha256(data).hexdigest()
        return _digest(content, by_suffix(name) or "", self.versions, length=40)

    def parts(self, key: str) -> Path:
        """Returns the cache file of a document's header and parts."""
        return Path(self.cache) / f"{key}.parts.jsonl"

    def over_limits(self, key: str) -> Path:
        """Returns the cache file for the failure of a document under these limits."""
        limits = (self.seconds, self.memory_mb, self.size, self.overlap, *self._by)
        return Path(self.cache) / f"{key}.{_digest(*map(str, limits))}.jsonl"

    def passages(self, key: str) -> Path:
        """Returns the cache file of a document's passages."""
        chunking = _digest(str(chunks.VERSION), self.versions, str(self.size), str(self.overlap), *self._by)
        return Path(self.cache) / f"{key}.{chunking}.jsonl"

    @property
    def _by(self) -> tuple[str, ...]:
        """The settings beside size and overlap that decide the passages; () if documents are cut by sentences."""
        return () if self.by == "sentences" else (self.by, self.encoder)


def _digest(*parts: str, length: int = 12) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def load(path: str, max_bytes: int) -> bytes:
    """Returns the bytes of a file. Raises UnreadableError if it cannot be opened, is no regular file or is too large.

    Links are not followed.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("not a readable file", "no regular file")
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableError("not a readable file", error.strerror or str(error)) from error
    if len(data) > max_bytes:
        raise UnreadableError("too large", f"more than corpus.limits.file_mb={max_bytes >> 20}")
    return data


def extract(name: str, data: bytes, key: str, settings: Settings, scratch: Path) -> tuple[Header, bool]:
    """Reads a document into the cache, unless the cache has it. Returns (header, whether it was not in the cache).

    The passages are also cached, unless `semantic.py` cuts them later. Raises MemoryError if the document needs more
    memory than the limit.
    """
    cached = _cached_header(key, settings)
    header = _read(name, data, key, settings, scratch) if cached is None else cached
    if "reason" not in header and settings.by != "semantic" and not settings.passages(key).exists():
        passages = chunks.chunks(parts(key, settings), settings.size, settings.overlap, settings.by)
        write_passages(key, passages, settings, scratch)
    return header, cached is None


def complete(key: str, settings: Settings) -> Header | None:
    """Returns the header of a document if the cache has its passages or its failure; else None."""
    header = _cached_header(key, settings)
    if header is None or "reason" in header or settings.passages(key).exists():
        return header
    return None


def parts(key: str, settings: Settings) -> list[Part]:
    """Returns the cached parts of a document."""
    return [Part(**row) for row in islice(_rows(settings.parts(key)), 1, None)]


def write_passages(key: str, passages: Iterable[chunks.Chunk], settings: Settings, scratch: Path) -> None:
    """Writes the passages of a document into the cache. `scratch`: a folder for the unfinished file."""
    rows = (
        {
            "text": chunk.text,
            "sentences": chunk.sentences,
            "place": chunk.place,
            "sketch": near_copies.sketch(chunk.text),
        }
        for chunk in passages
    )
    _write(settings.passages(key), rows, scratch)


def _read(name: str, data: bytes, key: str, settings: Settings, scratch: Path) -> Header:
    found: list[Part] = []
    before = peak_mb()
    try:
        kind, document = documents.read(name, data, settings.ocr)
        header: Header = {"kind": kind, "title": document.title[:300], "warnings": document.warnings[:20]}
        found = document.parts
    except UnreadableError as error:
        # a parser that runs out of memory often reports a broken file
        out_of_memory = error.reason == "damaged" and peak_mb() - before > settings.memory_mb / 2
        if out_of_memory or error.reason == "too much memory":
            raise MemoryError from error
        header = {"reason": error.reason, "detail": error.detail}
    _write(settings.parts(key), iter([header, *(asdict(part) for part in found)]), scratch)
    return header


def _write(file: Path, rows: Iterator[object], scratch: Path) -> None:
    temporary = scratch / f"{os.getpid()}.jsonl"
    write_jsonl(temporary, rows)
    temporary.replace(file)


def _cached_header(key: str, settings: Settings) -> Header | None:
    file = next((file for file in (settings.over_limits(key), settings.parts(key)) if file.exists()), None)
    if file is None:
        return None
    with file.open(encoding="utf-8") as lines:
        header: Header = json.loads(lines.readline())
    return header


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def peak_mb() -> float:
    """Returns the peak memory of this process in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20)
