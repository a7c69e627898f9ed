"""Corpus `documents`: files of one's own (PDF, Word, PowerPoint, HTML, Markdown, text, CSV, JSON), cut into passages.

A document goes by its path within the folder. What was read is kept by content (`extraction.py`), so that a folder
that grows is read only where it is new. Files that cannot be read are reported (`report`), and the rest goes on.
"""

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal

from raft_exp.core.collection import fingerprint, hash64
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Positive, PositiveFloat, Runtime, Share, config_dataclass
from raft_exp.corpora.documents import folder, pool
from raft_exp.corpora.documents.chunks import ChunkConfig
from raft_exp.corpora.documents.extraction import Settings
from raft_exp.corpora.documents.report import IngestReport, summary
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.readers import documents as readers

_STALE = 24 * 3600  # seconds after which what a killed run left is cleared


@config_dataclass
class LimitsConfig:
    """What one document may cost. One that costs more is reported, and its process ended."""

    seconds: PositiveFloat
    memory_mb: Positive
    file_mb: Positive


@config_dataclass
class DocumentsConfig:
    """A folder or a file, how it is cut up, and the questions about it."""

    name: Literal["documents"]
    path: Runtime[str | None]  # names and content of what is found stand in the key
    questions: Runtime[str | None]  # as does this file's content
    max_items: Positive | None
    validation: Share
    test: Share
    chunk: ChunkConfig
    on_error: Literal["skip", "fail"]
    limits: LimitsConfig
    workers: Runtime[Positive | None]  # processes that read; null: one a core
    cache: Runtime[str]  # where what was read is kept


class Documents:
    """Streams the passages of every document that can be read, in the order of their names."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "chunk", "on_error", "limits")
    origin: ClassVar[Origin] = Origin("files of the user's own")

    def __init__(self, config: DocumentsConfig, seed: int) -> None:
        del seed
        self.counts: Counter[str] = Counter()
        self.report: IngestReport | None = None  # once the passages are read
        self._config = config

    @cached_property
    def _found(self) -> list[folder.Found]:
        config = self._config
        questions = [Path(config.questions)] if config.questions else []
        return folder.found(config.path, config.limits.file_mb << 20, [Path(config.cache).parent, *questions])

    @cached_property
    def _readable(self) -> list[folder.Found]:
        return [file for file in self._found if file.reason is None]

    def files(self) -> list[Path]:
        """The files that are going to be read."""
        return [file.path for file in self._readable]

    def passage_identity(self) -> dict[str, Any]:
        """What decides the passages beside settings and contents: names, what is refused, the readers' versions."""
        names = json.dumps([(file.name, file.reason) for file in self._found])
        return {"names": f"{hash64(names):016x}", "readers": readers.versions()}

    def passages(self) -> Iterator[Passage]:
        """Passages by document; one whose words stood in another before is left out, and counted."""
        if missing := readers.missing():
            raise DataError(f"corpus=documents needs {', '.join(missing)}: pip install 'raft_exp[documents]'")
        readings = self._read()
        self.report = report = IngestReport.of(self._found, readings)
        self.counts.update(report.counts())
        if report.bad and self._config.on_error == "fail":
            raise DataError(
                f"corpus.path={self._config.path!r}: {summary(report.bad)} (corpus.on_error=fail); mend or "
                "remove them, or set corpus.on_error=skip"
            )
        seen: set[int] = set()
        for file, reading in zip(self._readable, readings, strict=True):
            if file.name in report.documents:
                yield from self._fresh(file.name, reading, seen)
        if not seen:
            raise DataError(f"corpus.path={self._config.path!r}: gave no passage: {summary(report.bad)}")

    def questions(self) -> Iterator[Question]:
        """None come with documents: they are a file of their own (`corpora/questions.py`)."""
        raise DataError(
            "corpus.questions: has no value, and a study needs questions; set corpus.questions=FILE to JSON lines of "
            "{question, answers, document_id} (the path within the folder), or let a model write them (teacher=openai)"
        )
        yield  # never reached: a stream that nobody reads raises nothing

    def _fresh(self, name: str, reading: pool.ReadDocument, seen: set[int]) -> Iterator[Passage]:
        told = self.report.documents[name] if self.report else {}
        title = reading.header["title"] or Path(name).stem
        with self._settings.passages(reading.key).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                words = fingerprint((row := json.loads(line))["text"])
                kind = "duplicates" if words in seen else "passages"
                told[kind] += 1
                seen.add(words)
                if kind == "passages":
                    yield Passage(id=f"{name}#{number}", document_id=name, title=title, source=name, **row)
                else:
                    self.counts["duplicates"] += 1

    @cached_property
    def _settings(self) -> Settings:
        config = self._config
        versions = json.dumps({**readers.versions(), "sentencex": metadata.version("sentencex")})
        return Settings(
            cache=str(Path(config.cache).absolute()),
            versions=versions,
            size=config.chunk.size,
            overlap=config.chunk.overlap,
            seconds=config.limits.seconds,
            memory_mb=config.limits.memory_mb,
            file_mb=config.limits.file_mb,
        )

    def _read(self) -> list[pool.ReadDocument]:
        """Every file, in its order; those that were read before are only looked up."""
        files = self._readable
        readings: dict[int, pool.ReadDocument] = {}
        scratch = _scratch(Path(self._settings.cache))
        workers = self._config.workers or os.cpu_count() or 1
        try:
            done = pool.read_all(files, self._settings, scratch, workers)
            readings.update(track(done, "reading documents", total=len(files)))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return [readings[place] for place in range(len(files))]


def _scratch(cache: Path) -> Path:
    """A folder for files that are being written, beside those that are whole."""
    cache.mkdir(parents=True, exist_ok=True)
    for left in cache.glob("writing-*"):
        if left.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="writing-", dir=cache))
