"""Natural Questions: queries to Google, answered from Wikipedia (Kwiatkowski et al. 2019).

Training records are Google's pages or DPR's passages. Test records are lost-in-the-middle's contexts of 10, 20 or 30
passages, or NQ-open with a collection of passages for a retriever. A single file is split at random by the seed.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp import assets
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Count, Positive, Runtime, Share, config_dataclass
from raft_exp.core.text import plain_words
from raft_exp.corpora.counting import counting
from raft_exp.corpora.natural_questions.records import Piece, Record, content, records
from raft_exp.corpora.natural_questions.sources import Source, Sources, Test, Train, from_path, from_published
from raft_exp.corpora.natural_questions.splits import Splits, question_hash
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.questions import answering_sentence
from raft_exp.corpora.readers import collection
from raft_exp.corpora.sentences import split_sentences


@config_dataclass
class NaturalQuestionsConfig:
    """The source of the records, their number and their splits."""

    name: Literal["natural_questions"]
    path: Runtime[str | None]  # the content of files() is part of the key
    collection: Runtime[str | None]  # its content too
    train: Train
    test: Test
    passage: Literal["any", "paragraph"]
    records: Positive | None
    given: Count
    max_items: Positive | None
    validation: Share
    test_share: Share
    repo: str
    revision: str


class NaturalQuestions:
    """The corpus `natural_questions`.

    Passages depend on neither the seed nor `max_items`; questions depend on both.
    """

    passage_settings: ClassVar[tuple[str, ...]] = (
        "name",
        "train",
        "test",
        "passage",
        "records",
        "given",
        "repo",
        "revision",
    )
    shares_gold: ClassVar[bool] = True
    origin: ClassVar[Origin] = Origin(
        "Natural Questions (Kwiatkowski et al. 2019) with text of Wikipedia", "cc-by-sa-3.0"
    )

    def __init__(self, config: NaturalQuestionsConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.counts: Counter[str] = Counter()

    def files(self) -> list[Path]:
        """Returns the local data files and the collection. The settings identify downloaded files."""
        local = [] if self.config.path is None else [path for source in self._sources for path in source.files()]
        return [*local, *filter(None, [self._collection])]

    def passages(self) -> Iterator[Passage]:
        """Yields the passages of all records that are used, then those of the collection. Equal passages are yielded
        once.
        """
        seen: set[int] = set()  # of records only: a collection may be larger than memory
        with counting(self.counts) as counts:
            for source in self._sources:
                for path, record in self._records(source, counts):
                    for piece in record.pieces or []:
                        if piece.content not in seen:
                            seen.add(piece.content)
                            counts["passages"] += 1
                            yield _passage(piece, source.cited or path.name)
            for passage in collection.read(self._collection) if self._collection else ():
                if content(passage.title, passage.text) not in seen:
                    counts["collection_passages"] += 1
                    yield passage

    def questions(self) -> Iterator[Question]:
        """Yields the questions, those of the test files first."""
        splits = self._splits()
        with counting(self.counts) as counts:
            for source in self._sources:
                for _, record in self._records(source, counts):
                    split = splits.of(record) if source is self._learned_source else "test"
                    if split:
                        yield self._question(record, split, counts)

    @cached_property
    def _sources(self) -> Sources:
        config = self.config
        if config.path is None:
            return from_published(config.repo, config.revision, config.train, config.test)
        return from_path(assets.path(config.path), config.train, config.test, self.counts)

    @property
    def _learned_source(self) -> Source:
        return self._sources.train or self._sources.test

    @property
    def _collection(self) -> Path | None:
        path = self.config.collection
        if path is not None and not Path(path).is_file():
            raise DataError(f"corpus.collection={path!r}: no such file; give TSV or JSON lines of id, text, title")
        return None if path is None else Path(path)

    def _read(self, source: Source) -> Iterator[tuple[Path, Record]]:
        most = self.config.records if source is self._learned_source else None
        return islice(records(source.files(), self.config.passage == "paragraph"), most)

    def _records(self, source: Source, counts: Counter[str]) -> Iterator[tuple[Path, Record]]:
        """Yields the records that are used. The others are counted by reason."""
        is_train = source is self._sources.train
        for path, record in self._read(source):
            counts["train_records" if is_train else "test_records"] += 1
            if reason := record.lack or (self._not_learnable(record) if is_train else ""):
                counts[reason] += 1
            else:
                yield path, record.with_given(self.config.given) if is_train else record

    def _not_learnable(self, record: Record) -> str:
        if question_hash(record.question) in self._test_questions:
            return "test_questions_removed_from_train"
        return "" if record.gold else "without_gold"

    @cached_property
    def _test_questions(self) -> set[int]:
        return {question_hash(record.question) for _, record in self._read(self._sources.test)}

    def _splits(self) -> Splits:
        config = self.config
        learnable = (record for _, record in self._records(self._learned_source, Counter()) if record.gold)
        test = 0.0 if self._sources.train else config.test_share
        return Splits.draw(learnable, self.seed, test=test, validation=config.validation, max_items=config.max_items)

    def _question(self, record: Record, split: str, counts: Counter[str]) -> Question:
        if split == "test":
            counts["test_without_gold"] += not record.gold
        else:
            record = record.with_given(self.config.given)
        return Question(
            id=record.id,
            question=record.question,
            answers=record.answers,
            gold=list(dict.fromkeys(piece.id for piece in record.gold)),
            split=split,
            given=[piece.id for piece in record.given],
            evidence=_evidence(record),
            explanation=record.gold[0].text if record.gold else "",  # the annotators' long answer
            slices={"long_answer": record.kind} if record.kind else {},
            published=None if record.pieces is None else [piece.id for piece in record.pieces],
        )


# `place` stays empty: passages of the test files have none, and training should look the same.


def _passage(piece: Piece, cited: str) -> Passage:
    return Passage(piece.id, piece.title or piece.id, piece.title, piece.text, "", split_sentences(piece.text), cited)


def _evidence(record: Record) -> list[tuple[str, int]]:
    """Returns the sentence with the annotated short answer; without an annotation, the first with an answer."""
    gold = [_passage(piece, "") for piece in record.gold]
    if record.answer_at is None or not gold:
        return answering_sentence(gold, record.answers, plain_words)
    ends = accumulate(len(sentence) for sentence in gold[0].sentences)
    return [(gold[0].id, next(number for number, end in enumerate(ends) if record.answer_at < end))]
