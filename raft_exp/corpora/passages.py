"""Corpus `passages`: a user's file of passages (`readers/passage_rows.py`) and file of questions (`questions.py`)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.collection_parts import BLOCK
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import KeyedWhenSet, Positive, Runtime, Share, config_dataclass
from raft_exp.core.shards import Shard
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.readers import passage_rows
from raft_exp.corpora.sentences import sentences_of
from raft_exp.corpora.split_units import Setting

_COUNTED = 10_000  # documents are counted in the first passages, at most this many


@config_dataclass
class PassagesConfig:
    """The two files, and the rules for questions without gold passages or without a split."""

    name: Literal["passages"]
    path: Runtime[str | None]  # the content of the file is part of the key
    questions: Runtime[str | None]  # the content of the file is part of the key
    max_items: Positive | None
    validation: Share
    test: Share
    closest: KeyedWhenSet[Positive] = 2  # largest number of gold passages if none has the answer word for word
    columns: KeyedWhenSet[dict[str, str]] = field(default_factory=dict)  # field of a question -> its column in the file
    split: KeyedWhenSet[Setting] = "auto"  # what questions are split by (`corpora/split_units.py`)


class ReadyPassages:
    """Streams the passages of `corpus.path`."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name",)
    origin: ClassVar[Origin] = Origin("a file of the user's own")
    any_language: ClassVar[bool] = True

    def __init__(self, config: PassagesConfig, seed: int) -> None:
        del seed
        self.counts: Counter[str] = Counter()
        self._path = config.path

    def files(self) -> list[Path]:
        """Returns [the file of passages]. Raises DataError if `corpus.path` has no value or does not exist."""
        if self._path is None:
            raise DataError("corpus.path: has no value; set corpus.path=FILE to JSON lines of {id, text, ...}")
        if not Path(self._path).is_file():
            raise DataError(f"corpus.path={self._path!r}: no such file; give a file with one passage per line")
        return [Path(self._path)]

    def document_count(self, most: int) -> int:
        """Returns the number of documents in the first passages of the file, at most `most`.

        Returns `most` if the file cannot be read; the ingest stage then raises the error.
        """
        documents: set[str] = set()
        try:
            for passage in islice(passage_rows.read(self.files()[0], lambda text: [text]), _COUNTED):
                documents.add(passage.document_id)
                if len(documents) == most:
                    break
        except DataError:
            return most
        return len(documents)

    def passages(self) -> Iterator[Passage]:
        """Yields the passages in file order."""
        return passage_rows.read(self.files()[0], sentences_of)

    def passages_of(self, shard: Shard) -> Iterator[Passage]:
        """Yields the passages of a shard: every `shard.count`-th block of BLOCK passages of the file."""
        return passage_rows.read(self.files()[0], sentences_of, lambda number: shard.holds(number // BLOCK))

    def questions(self) -> Iterator[Question]:
        """Raises DataError: without `corpus.questions` this corpus has no questions."""
        raise DataError(
            "corpus.questions: has no value, and a study needs questions; set corpus.questions=FILE, a CSV, "
            "Excel or JSON lines file with the fields question, answers, and document_id or gold, or let a model write "
            "the questions (teacher=openai)"
        )
        yield  # never reached: makes this a generator, which raises only when it is read
