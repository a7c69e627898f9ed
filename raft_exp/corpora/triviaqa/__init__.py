"""TriviaQA: questions of trivia authors, with documents of Wikipedia and the web as evidence (Joshi et al. 2017).

The files may have the authors' layout (with a folder of evidence files), the hub's layout, one of DPR's forms, or
FlashRAG's layout. A single file is split at random by the seed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.schema import Count, Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.context_corpus import ContextCorpus
from raft_exp.corpora.context_records import Record
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.parts import Source, Sources
from raft_exp.corpora.triviaqa.evidence import EvidenceFiles
from raft_exp.corpora.triviaqa.records import Reader
from raft_exp.corpora.triviaqa.sources import LAYOUT, Test, Train, from_published


@config_dataclass
class TriviaqaConfig:
    """The source of the records, their number and their splits."""

    name: Literal["triviaqa"]
    path: Runtime[str | None]  # the content of files() is part of the key
    collection: Runtime[str | None]  # the content of the file is part of the key
    train: Train
    test: Test
    words: Positive  # largest number of words of a passage of an evidence document
    records: Positive | None
    given: Count
    max_items: Positive | None
    validation: Share
    test_share: Share
    repo: str
    revision: str


class Triviaqa(ContextCorpus[TriviaqaConfig]):
    """The corpus `triviaqa`."""

    passage_settings: ClassVar[tuple[str, ...]] = (
        "name",
        "train",
        "test",
        "words",
        "records",
        "given",
        "repo",
        "revision",
    )
    drawn_as: ClassVar[str] = "triviaqa"
    origin: ClassVar[Origin] = Origin("TriviaQA (Joshi et al. 2017, arXiv 1705.03551), with text of Wikipedia")

    def files(self) -> list[Path]:
        """Returns the local data files, the folders of evidence files and the collection."""
        files = super().files()
        return [*files, *EvidenceFiles.beside(files).folders]

    def locate(self) -> Sources:
        """Returns the parts in the folder or file `corpus.path`, or the parts to download."""
        config = self.config
        if config.path is None:
            return from_published(config.repo, config.revision, config.train, config.test)
        return LAYOUT.from_path(Path(config.path), {"train": config.train, "test": config.test}, self.counts)

    def read(self, source: Source, is_test: bool) -> Iterator[tuple[Path, Record]]:
        """Yields (file, record) for every record of a part."""
        reader = Reader(self.config.words, keeps_all=is_test and self._sources.train is not None)
        for path in source.files():
            for record in reader.records(path):
                yield path, record

    def asked(self, source: Source) -> Iterator[str]:
        """Yields the question of every record of the test part, without reading the evidence."""
        reader = Reader(self.config.words, keeps_all=True, reads_evidence=False)
        return (record.question for path in source.files() for record in reader.records(path))

    def explanation(self, record: Record) -> str:
        """Returns "": TriviaQA has no long answers."""
        del record
        return ""
