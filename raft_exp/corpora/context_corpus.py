"""The base of the corpora natural_questions and triviaqa: passages and questions from records in two parts."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from raft_exp.core.collection_parts import Block, blocks_of, in_turn, part_blocks, write_part
from raft_exp.core.errors import DataError
from raft_exp.core.npy import Column, Rows
from raft_exp.core.records import Passage, Question
from raft_exp.core.shards import Shard
from raft_exp.core.text import plain_words
from raft_exp.corpora.context_records import Piece, Record, content
from raft_exp.corpora.counting import counting
from raft_exp.corpora.parts import Source, Sources
from raft_exp.corpora.questions import answering_sentence
from raft_exp.corpora.readers import collection
from raft_exp.corpora.sentences import split_sentences
from raft_exp.corpora.wording_splits import Splits, question_hash

_CONTENTS = "contents.npy"  # of a shard of a collection: hash of title and text of each passage


class ContextSettings(Protocol):
    """The settings that the corpora natural_questions and triviaqa share."""

    @property
    def path(self) -> str | None:
        """A folder or a file of records; None for a download."""

    @property
    def collection(self) -> str | None:
        """A file of more passages, for a retriever to search."""

    @property
    def records(self) -> int | None:
        """The largest number of training records to read; None for all."""

    @property
    def given(self) -> int:
        """The largest number of published distractors for each training question."""

    @property
    def max_items(self) -> int | None:
        """The largest number of training questions; None for all."""

    @property
    def validation(self) -> float:
        """The share of the training questions in the validation split."""

    @property
    def test_share(self) -> float:
        """The share of the questions in the test split, if there is no test file."""


C = TypeVar("C", bound=ContextSettings)


class ContextCorpus(ABC, Generic[C]):
    """A corpus with a training part and a test part. If there is only one part, it is split at random.

    Passages depend on neither the seed nor `max_items`; questions depend on both.
    """

    shares_gold: ClassVar[bool] = True
    drawn_as: ClassVar[str]  # a name that is part of the random draws of splits

    def __init__(self, config: C, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def locate(self) -> Sources:
        """Returns the parts in the folder or file `config.path`, or the parts to download."""

    @abstractmethod
    def read(self, source: Source, is_test: bool) -> Iterator[tuple[Path, Record]]:
        """Yields (file, record) for every record of a part. `is_test`: whether it is the test part."""

    def asked(self, source: Source) -> Iterator[str]:
        """Yields the question of every record of the test part."""
        return (record.question for _, record in self._read(source))

    @abstractmethod
    def explanation(self, record: Record) -> str:
        """Returns the long answer of a record; "" if it has none."""

    def files(self) -> list[Path]:
        """Returns the local data files, without downloaded ones, and the collection, if there is one.

        Raises DataError if the collection does not exist.
        """
        local = [] if self.config.path is None else [path for source in self._sources for path in source.files()]
        return [*local, *filter(None, [self._collection])]

    def passages(self) -> Iterator[Passage]:
        """Yields the passages of all used records, each once, then the other passages of the collection."""
        seen: set[int] = set()  # of records only: a collection may be larger than memory
        with counting(self.counts) as counts:
            yield from self._passages_of_records(seen, counts)
            for passage in collection.read(self._collection) if self._collection else ():
                if content(passage.title, passage.text) not in seen:
                    counts["collection_passages"] += 1
                    yield passage

    def write_shard(self, shard: Shard, folder: Path) -> None:
        """Writes the passages of a shard of the collection; `joined` leaves out those that are also in records."""
        with Column(folder / _CONTENTS, "<u8") as contents:
            write_part(folder, _noted(collection.read_shard(self._given_collection, shard), contents), unique=False)

    def joined(self, shards: Sequence[Path]) -> Iterator[Block]:
        """Yields the passages of `passages`, in blocks. `shards`: the folders of all shards of the collection."""
        seen: set[int] = set()
        with counting(self.counts) as counts:
            yield from blocks_of(self._passages_of_records(seen, counts))
            of_records = np.sort(np.fromiter(seen, dtype=np.uint64, count=len(seen)))
            parts = [_without(of_records, folder) for folder in shards]
            for block in chain(*parts) if collection.is_cut(self._given_collection) else in_turn(parts):
                counts["collection_passages"] += len(block)
                yield block

    def _passages_of_records(self, seen: set[int], counts: Counter[str]) -> Iterator[Passage]:
        """Yields the passages of all used records, each once. Adds their contents to `seen`."""
        for source in self._sources:
            for path, record in self._records(source, counts):
                for piece in record.pieces or []:
                    if piece.content not in seen:
                        seen.add(piece.content)
                        counts["passages"] += 1
                        yield _passage(piece, source.cited or path.name)

    def questions(self) -> Iterator[Question]:
        """Yields the questions that have a split, first those of the test files."""
        splits = self._splits()
        with counting(self.counts) as counts:
            for source in self._sources:
                for _, record in self._records(source, counts):
                    split = splits.of(record) if source is self._learned_source else "test"
                    if split:
                        yield self._question(record, split, counts)

    @cached_property
    def _sources(self) -> Sources:
        return self.locate()

    @property
    def _learned_source(self) -> Source:
        return self._sources.train or self._sources.test

    @property
    def _collection(self) -> Path | None:
        path = self.config.collection
        if path is not None and not Path(path).is_file():
            raise DataError(f"corpus.collection={path!r}: no such file; give TSV or JSON lines of id, text, title")
        return None if path is None else Path(path)

    @property
    def _given_collection(self) -> Path:
        path = self._collection
        assert path is not None, "only a collection is cut into shards"
        return path

    def _read(self, source: Source) -> Iterator[tuple[Path, Record]]:
        most = self.config.records if source is self._learned_source else None
        return islice(self.read(source, source is self._sources.test), most)

    def _records(self, source: Source, counts: Counter[str]) -> Iterator[tuple[Path, Record]]:
        """Yields the records that are used. The others are counted by reason."""
        is_train = source is self._sources.train
        for path, record in self._read(source):
            counts["train_records" if is_train else "test_records"] += 1
            counts.update(record.counted)
            if reason := record.lack or (self._not_learnable(record) if is_train else ""):
                counts[reason] += 1
            else:
                yield path, record.with_given(self.config.given, also_answering=False) if is_train else record

    def _not_learnable(self, record: Record) -> str:
        if question_hash(record.question) in self._test_questions:
            return "test_questions_removed_from_train"
        return "" if record.gold else "without_gold"

    @cached_property
    def _test_questions(self) -> set[int]:
        return {question_hash(question) for question in self.asked(self._sources.test)}

    def _splits(self) -> Splits:
        config = self.config
        learnable = (record for _, record in self._records(self._learned_source, Counter()) if record.gold)
        test = 0.0 if self._sources.train else config.test_share
        return Splits.draw(
            learnable, self.seed, self.drawn_as, test=test, validation=config.validation, max_items=config.max_items
        )

    def _question(self, record: Record, split: str, counts: Counter[str]) -> Question:
        if split == "test":
            counts["test_without_gold"] += not record.gold
        else:
            record = record.with_given(self.config.given, also_answering=True)
        return Question(
            id=record.id,
            question=record.question,
            answers=record.answers,
            gold=_ids(record.gold),
            split=split,
            given=_ids(record.given),
            evidence=_evidence(record),
            explanation=self.explanation(record),
            slices=record.slices,
            published=None if record.pieces is None or not record.is_context else [p.id for p in record.pieces],
            also_answering=_ids(record.also_answering),
        )


# `Passage.place` is "": the passages of the test files have no places, and training passages should look the same.


def _passage(piece: Piece, cited: str) -> Passage:
    return Passage(piece.id, piece.title or piece.id, piece.title, piece.text, "", split_sentences(piece.text), cited)


def _noted(passages: Iterable[Passage], contents: Column) -> Iterator[Passage]:
    """Yields the passages unchanged. Adds the hash of each passage's title and text to `contents`."""
    for passage in passages:
        contents.add(content(passage.title, passage.text))
        yield passage


def _without(of_records: np.ndarray, shard: Path) -> Iterator[Block]:
    """Yields the blocks of a shard without the passages that are also in records.

    `of_records`: shape (n,), uint64, hashes of the contents of these passages, in ascending order.
    """
    column = Rows(shard / _CONTENTS)
    first = 0
    for block in part_blocks(shard):
        contents = column[first : first + len(block)]
        places = np.searchsorted(of_records, contents)
        is_known = np.append(of_records, [np.uint64(0)])[places] == contents
        yield block.only(~(is_known & (places < len(of_records))))
        first += len(block)


def _ids(pieces: Iterable[Piece]) -> list[str]:
    return list(dict.fromkeys(piece.id for piece in pieces))


def _evidence(record: Record) -> list[tuple[str, int]]:
    """Returns [(passage id, number)] of the sentence with the annotated short answer, else of the first with an answer.

    Returns [] if no gold sentence contains an answer.
    """
    gold = [_passage(piece, "") for piece in record.gold]
    if record.answer_at is None or not gold:
        return answering_sentence(gold, record.answers, plain_words)
    ends = accumulate(len(sentence) for sentence in gold[0].sentences)
    return [(gold[0].id, next(number for number, end in enumerate(ends) if record.answer_at < end))]
