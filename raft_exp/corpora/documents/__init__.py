"""Corpus `documents`: a user's files (`readers/documents/kinds.py` lists their kinds), cut into passages.

A document's id is its path within the folder. The text of each file is cached by content (`extraction.py`), so that
only new and changed files are read. Unreadable files are listed in `report`. They are skipped, or with
corpus.on_error=fail end the stage with an error.
"""

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from raft_exp.core import words
from raft_exp.core.collection import hash64
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Passage, Question, write_jsonl
from raft_exp.core.schema import KeyedWhenSet, Positive, PositiveFloat, Runtime, Share, config_dataclass
from raft_exp.core.screen import say
from raft_exp.core.shards import Shard
from raft_exp.corpora.documents import chunks, folder, pool, semantic
from raft_exp.corpora.documents.chunks import ChunkConfig
from raft_exp.corpora.documents.extraction import Settings, complete
from raft_exp.corpora.documents.passages import CutDocument, PassageStream
from raft_exp.corpora.documents.report import IngestReport, summary
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.readers import documents as readers
from raft_exp.corpora.readers.documents import ocr
from raft_exp.corpora.split_units import Setting
from raft_exp.models.encoder import EncoderConfig

_PER_PROCESS = 200_000  # bytes of files for each further process, whose start takes about half a second of CPU time
_STALE = 24 * 3600  # age in seconds at which temporary folders of killed runs are deleted


@config_dataclass
class LimitsConfig:
    """The limits for reading one document. Reading stops at a limit, and the document is reported."""

    seconds: PositiveFloat  # to read it
    memory_mb: Positive
    file_mb: Positive


@config_dataclass
class DocumentsConfig:
    """The settings of the files, of cutting them into passages, and of the questions about them."""

    name: Literal["documents"]
    path: Runtime[str | None]  # the names and the content of the files are part of the key
    questions: Runtime[str | None]  # the content of the file is part of the key
    max_items: Positive | None
    validation: Share
    test: Share
    chunk: ChunkConfig
    on_error: Literal["skip", "fail"]
    limits: LimitsConfig
    workers: Runtime[Positive | None]  # processes that read files; null: one for each CPU core, fewer for small files
    cache: Runtime[str]  # folder of the extracted texts
    closest: KeyedWhenSet[Positive] = 2  # largest number of gold passages if none has the answer word for word
    columns: KeyedWhenSet[dict[str, str]] = field(default_factory=dict)  # field of a question -> its name in the file
    ocr: KeyedWhenSet[bool] = False  # whether the text of scanned pages is recognised
    split: KeyedWhenSet[Setting] = "auto"  # what questions are split by (`corpora/split_units.py`)

    @model_validator(mode="after")
    def _ocr_has_memory(self) -> "DocumentsConfig":
        if self.ocr and self.limits.memory_mb < ocr.MEMORY_MB:
            raise ValueError(
                f"corpus.ocr=true: got corpus.limits.memory_mb={self.limits.memory_mb}, too little for OCR; "
                f"set corpus.limits.memory_mb={ocr.MEMORY_MB}"
            )
        return self


def check_installed(config: DocumentsConfig) -> None:
    """Raises DataError if packages that read the files are missing. The message names the extra to install."""
    if missing := readers.missing():
        raise DataError(f"corpus=documents needs {', '.join(missing)}; run pip install 'raft_exp[documents]'")
    if config.ocr and (missing := readers.missing(ocr.LIBRARIES)):
        raise DataError(
            f"corpus.ocr=true: needs {', '.join(missing)}; run pip install 'raft_exp[ocr]', or set corpus.ocr=false"
        )


class Documents:
    """Streams the passages of all readable documents, in the order of their paths."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "chunk", "on_error", "limits")
    origin: ClassVar[Origin] = Origin("files of the user's own")
    any_language: ClassVar[bool] = True

    def __init__(self, config: DocumentsConfig, seed: int) -> None:
        del seed
        self.counts: Counter[str] = Counter()
        self.report: IngestReport | None = None  # set when the passages are streamed
        self.repeated: dict[str, list[str]] = {}  # document -> ids of earlier passages whose text it repeats
        self.encoder: EncoderConfig | None = None  # for corpus.chunk.by=semantic; set it before passages are streamed
        self._config = config
        self._readings: list[pool.ReadDocument] | None = None  # the results of the tasks of a spread stage

    @property
    def needs_encoder(self) -> bool:
        """Whether documents are cut by an encoder (corpus.chunk.by=semantic)."""
        return self._config.chunk.by == "semantic"

    @cached_property
    def _files(self) -> list[folder.File]:
        config = self._config
        questions = [Path(config.questions)] if config.questions else []
        return folder.list_files(config.path, config.limits.file_mb << 20, [Path(config.cache).parent, *questions])

    @cached_property
    def _readable(self) -> list[folder.File]:
        return [file for file in self._files if file.reason is None]

    def files(self) -> list[Path]:
        """Returns the files to read, without those that are refused by name, type or size."""
        return [file.path for file in self._readable]

    def document_count(self, most: int) -> int:
        """Returns the number of files to read, counted up to `most`."""
        return min(len(self._readable), most)

    def passage_identity(self) -> dict[str, object]:
        """Returns further values that decide the passages.

        `names`: a hash of file names and refusals. `readers`: {name: version} of what reads and cuts the files.
        """
        names = json.dumps([(file.name, file.reason) for file in self._files])
        versions = {**readers.versions(self._config.ocr), "chunks": str(chunks.VERSION)}
        return {"names": f"{hash64(names):016x}", "readers": versions}

    def passages(self) -> Iterator[Passage]:
        """Yields the passages by document. Passages that repeat an earlier one are left out and counted.

        corpus.chunk.near_copies decides which near copies are left out. Raises DataError if a package is missing, if no
        file gives a passage, and with corpus.on_error=fail for unreadable files.
        """
        check_installed(self._config)
        readings = self._read(self._readable) if self._readings is None else self._readings
        self.report = report = IngestReport.of(self._files, readings)
        self.counts.update(report.counts())
        if report.bad and self._config.on_error == "fail":
            raise DataError(
                f"corpus.path={self._config.path!r}: {summary(report.bad)} (corpus.on_error=fail); repair or "
                "remove these files, or set corpus.on_error=skip"
            )
        documents = [
            CutDocument(file.name, reading.header, self._settings.passages(reading.key), report.documents[file.name])
            for file, reading in zip(self._readable, readings, strict=True)
            if file.name in report.documents
        ]
        stream = PassageStream(documents, self._config.chunk)
        yield from stream
        self.repeated = {name: list(ids) for name, ids in stream.repeated.items()}
        self.counts.update(report.repetitions())
        if not stream.count:
            raise DataError(
                f"corpus.path={self._config.path!r}: no file gave a passage: {summary(report.bad)}; repair these "
                "files, or set corpus.path to a folder with readable documents"
            )

    def read_shard(self, shard: Shard, file: Path) -> None:
        """Reads the files of a shard into the cache of extracted texts, and writes the results into `file`.

        Each line of `file` is a `pool.ReadDocument` in JSON.
        """
        check_installed(self._config)
        own = [each for number, each in enumerate(self._readable) if shard.holds(number)]
        write_jsonl(file, self._read(own, shard.count))

    def use_shards(self, files: Sequence[Path]) -> None:
        """Loads the results of all shards, so that `passages` uses them and reads no documents itself.

        `files`: those that `read_shard` wrote, in the order of the shards. Documents that are not in the cache are read
        here: the shards may have used another cache, and some failures are not cached.
        """
        check_installed(self._config)
        shards = [iter([pool.ReadDocument(**row) for row in _rows(file)]) for file in files]
        readings = [next(shards[number % len(shards)]) for number in range(len(self._readable))]
        missing, lost = list[int](), 0
        for number, reading in enumerate(readings):
            header = complete(reading.key, self._settings) if reading.key else None
            if header is None:
                missing.append(number)
                lost += "reason" not in reading.header
            else:
                readings[number] = replace(reading, header=header)
        if lost:
            say(
                f"corpus.cache={self._config.cache!r}: lacks the texts of {lost} of {len(readings)} files that the "
                "tasks have read; this process reads them again (to avoid this, set a folder that all machines share)",
                error=True,
            )
        if missing:
            again = self._read([self._readable[number] for number in missing])
            for number, reading in zip(missing, again, strict=True):
                readings[number] = reading
        self._readings = readings

    def questions(self) -> Iterator[Question]:
        """Raises DataError when iterated: without `corpus.questions` this corpus has no questions."""
        raise DataError(
            "corpus.questions: has no value, and a study needs questions; set corpus.questions=FILE, a CSV, "
            "Excel or JSON lines file with the fields question, answers and document_id (the path of the document "
            "within the corpus folder), or let a model write the questions (teacher=openai)"
        )
        yield  # never reached: makes this a generator, which raises only when it is read

    @cached_property
    def _settings(self) -> Settings:
        config = self._config
        splitters = {"sentencex": metadata.version("sentencex"), "words": words.version()}
        versions = json.dumps({**readers.versions(config.ocr), **splitters})
        return Settings(
            cache=str(Path(config.cache).absolute()),
            versions=versions,
            size=config.chunk.size,
            overlap=config.chunk.overlap,
            seconds=config.limits.seconds,
            memory_mb=config.limits.memory_mb,
            file_mb=config.limits.file_mb,
            by=config.chunk.by,
            ocr=config.ocr,
            encoder=semantic.identity_of(self._encoder_config) if self.needs_encoder else "",
        )

    @property
    def _encoder_config(self) -> EncoderConfig:
        if self.encoder is None:
            raise DataError(
                "corpus.chunk.by=semantic: this corpus has no encoder; set the attribute `encoder` of the corpus "
                "before you read passages (a study does so), or use corpus.chunk.by=sentences or sections"
            )
        return self.encoder

    def _read(self, files: Sequence[folder.File], tasks: int = 1) -> list[pool.ReadDocument]:
        """Returns the results of reading files, in their order. Cached results are reused.

        `tasks`: the number of tasks that may read files on this machine at the same time.
        """
        readings: dict[int, pool.ReadDocument] = {}
        scratch = _scratch(Path(self._settings.cache))
        workers = self._config.workers or max(1, _processes(files) // tasks)
        try:
            done = pool.read_all(files, self._settings, scratch, workers)
            readings.update(track(done, "reading documents", total=len(files)))
            if self.needs_encoder:
                keys = {reading.key for reading in readings.values() if "reason" not in reading.header}
                semantic.cut_documents(sorted(keys), self._settings, scratch, self._encoder_config)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return [readings[place] for place in range(len(files))]


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _processes(files: Sequence[folder.File]) -> int:
    """Returns the number of processes that read `files`: one for each CPU core, fewer if the files are small."""
    return min(os.cpu_count() or 1, 1 + sum(map(_size, files)) // _PER_PROCESS)


def _size(file: folder.File) -> int:
    try:
        return file.path.stat().st_size
    except OSError:  # the reader reports it
        return 0


def _scratch(cache: Path) -> Path:
    """Returns a new temporary folder inside the cache for unfinished files; deletes old ones."""
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob("writing-*"):
        if old.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="writing-", dir=cache))
