"""One document: its bytes become parts, and the parts passages; both are kept, under the content's hash.

    <cache>/<key>.parts.jsonl       a line of what it is ({kind, title, warnings} or {reason, detail}), and its parts
    <cache>/<key>.<limits>.jsonl    a line of why it went over the limits, while they are these
    <cache>/<key>.<chunks>.jsonl    its passages: {text, sentences, place}

Runs in the processes of `pool.py`. A file is written beside its place and renamed.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from raft_exp.core.records import write_jsonl
from raft_exp.corpora.documents import chunks
from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import Part, UnreadableError
from raft_exp.corpora.readers.documents.kinds import by_suffix


@dataclass(frozen=True)
class Settings:
    """What every document of a collection is read with. `versions` decide what was read before is still good."""

    cache: str
    versions: str
    size: int
    overlap: int
    seconds: float
    memory_mb: int
    file_mb: int

    def key(self, name: str, data: bytes) -> str:
        """The content's, as its suffix has it read: the same bytes may be text here and Markdown there."""
        content = hashlib.sha256(data).hexdigest()
        return _digest(content, by_suffix(name) or "", self.versions, length=40)

    def parts(self, key: str) -> Path:
        """Where a document's parts stand, or why it has none."""
        return Path(self.cache) / f"{key}.parts.jsonl"

    def over_limits(self, key: str) -> Path:
        """Where it stands that a document went over these limits."""
        how = (self.seconds, self.memory_mb, self.size, self.overlap)
        return Path(self.cache) / f"{key}.{_digest(*map(str, how))}.jsonl"

    def passages(self, key: str) -> Path:
        """Where a document's passages stand."""
        how = _digest(str(chunks.VERSION), self.versions, str(self.size), str(self.overlap))
        return Path(self.cache) / f"{key}.{how}.jsonl"


def _digest(*parts: str, length: int = 12) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def load(path: str, most_bytes: int) -> bytes:
    """The bytes of a regular file. Raises UnreadableError when it became something else since the folder was listed."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("not a readable file", "no regular file")
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UnreadableError("not a readable file", error.strerror or str(error)) from error
    if len(data) > most_bytes:
        raise UnreadableError("too large", f"more than corpus.limits.file_mb={most_bytes >> 20}")
    return data


def extract(name: str, data: bytes, key: str, settings: Settings, scratch: Path) -> tuple[dict[str, Any], bool]:
    """What it is, and whether it had to be read. Its passages are there afterwards. Raises MemoryError."""
    kept = next((file for file in (settings.over_limits(key), settings.parts(key)) if file.exists()), None)
    header = next(_rows(kept)) if kept else _read(name, data, key, settings, scratch)
    if "reason" not in header and not settings.passages(key).exists():
        parts = [Part(**row) for row in islice(_rows(settings.parts(key)), 1, None)]
        made = chunks.chunks(parts, settings.size, settings.overlap)
        rows = ({"text": one.text, "sentences": one.sentences, "place": one.place} for one in made)
        _write(settings.passages(key), rows, scratch)
    return header, kept is None


def _read(name: str, data: bytes, key: str, settings: Settings, scratch: Path) -> dict[str, Any]:
    parts: list[Part] = []
    before = peak_mb()
    try:
        kind, document = documents.read(name, data)
        header: dict[str, Any] = {"kind": kind, "title": document.title[:300], "warnings": document.warnings[:20]}
        parts = document.parts
    except UnreadableError as refused:
        # a parser that gets no more memory often calls the file broken
        strained = refused.reason == "damaged" and peak_mb() - before > settings.memory_mb / 2
        if strained or refused.reason == "too much memory":
            raise MemoryError from refused
        header = {"reason": refused.reason, "detail": refused.detail}
    _write(settings.parts(key), iter([header, *(asdict(part) for part in parts)]), scratch)
    return header


def _write(file: Path, rows: Iterator[Any], scratch: Path) -> None:
    beside = scratch / f"{os.getpid()}.jsonl"
    write_jsonl(beside, rows)
    beside.replace(file)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def peak_mb() -> float:
    """The most memory that this process has had."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20)
