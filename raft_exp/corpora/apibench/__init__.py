"""APIBench: questions about the API call that solves a task, and the documentation of model hubs (Patil et al. 2023).

A passage is the documentation of one API (one line of `*_api.jsonl`). A question is the instruction in the field `code`
of a line of `*_eval.json` or `*_train.json`; its answer is the line's `api_call`. Test questions are those of the file
`*_eval.json`. A hub without a training file is split at random by the seed.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.apibench.documentation import Document, documents
from raft_exp.corpora.apibench.gold import GoldDocuments
from raft_exp.corpora.apibench.lines import Line, lines
from raft_exp.corpora.apibench.sources import Hub, Sources, from_path, from_published
from raft_exp.corpora.apibench.splits import assign
from raft_exp.corpora.counting import counting
from raft_exp.corpora.origin import Origin


@config_dataclass
class ApibenchConfig:
    """The source of the records, their number and their splits."""

    name: Literal["apibench"]
    path: Runtime[str | None]  # the content of files() is part of the key
    hub: Literal["huggingface", "torchhub", "tensorflow", "all"]
    max_items: Positive | None
    validation: Share
    test_share: Share
    repo: str | None
    revision: str


class Apibench:
    """The corpus `apibench`. Its passages depend on neither the seed nor `max_items`; its questions depend on both."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "hub", "repo", "revision")
    shares_gold: ClassVar[bool] = True
    origin: ClassVar[Origin] = Origin("APIBench (Patil et al. 2023, arXiv 2305.15334)", "apache-2.0")

    def __init__(self, config: ApibenchConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.counts: Counter[str] = Counter()

    def files(self) -> list[Path]:
        """Returns the local data files; [] if the files are downloaded."""
        return [] if self.config.path is None else [path for source in self._sources for path in source.files]

    def passages(self) -> Iterator[Passage]:
        """Yields the documentation of every API, one passage for each line."""
        for document in self._documents(self.counts):
            yield document.passage

    def questions(self) -> Iterator[Question]:
        """Yields the questions of each hub, first those of the test file.

        Lines without an instruction or a call are left out. So are lines without a gold passage (`gold.py`), unless the
        test file of a hub that also has a training file contains them.
        """
        config, read = self.config, dict[str, tuple[Line, list[str], list[str]]]()
        gold = GoldDocuments(self._documents(self.counts))
        with counting(self.counts) as counts:
            counts.update(gold.counts)
            for line in self._lines(counts):
                ids, others = gold.of(line, counts)
                if ids or line.is_test:
                    read[line.id] = line, ids, others
        assigned = assign(
            [line for line, _, _ in read.values()],
            self.seed,
            self.counts,
            test_share=config.test_share,
            validation_share=config.validation,
            max_items=config.max_items,
        )
        for name, split in assigned.items():
            yield _question(*read[name], split, gold)

    @cached_property
    def _sources(self) -> list[Sources]:
        config = self.config
        hubs: tuple[Hub, ...] = ("huggingface", "torchhub", "tensorflow") if config.hub == "all" else (config.hub,)
        if config.path is None:
            return from_published(hubs, config.repo, config.revision)
        return from_path(Path(config.path), hubs, self.counts)

    def _documents(self, counts: Counter[str]) -> Iterator[Document]:
        with counting(counts) as stream_counts:
            for source in self._sources:
                yield from documents(source, stream_counts)

    def _lines(self, counts: Counter[str]) -> Iterator[Line]:
        for source in self._sources:
            yield from lines(source, counts)


def _question(line: Line, gold: list[str], others: list[str], split: str, documented: GoldDocuments) -> Question:
    return Question(
        id=line.id,
        question=line.instruction,
        answers=[line.call],
        gold=gold,
        split=split,
        evidence=[(name, documented.call_sentence(name)) for name in gold],
        slices={"hub": line.hub, "domain": line.domain},
        gold_missing=int(not gold),
        also_answering=others,
    )
