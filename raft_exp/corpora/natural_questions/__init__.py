"""Natural Questions: queries to Google, answered from Wikipedia (Kwiatkowski et al. 2019).

Training records are Google's pages or DPR's passages. Test records are lost-in-the-middle's contexts (10, 20 or 30
passages, or gold passages alone), Google's development pages, or NQ-open or EfficientQA with a collection of
passages for a retriever. A single file is split at random by the seed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp import assets
from raft_exp.core.schema import Count, Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.context_corpus import ContextCorpus
from raft_exp.corpora.context_records import Record
from raft_exp.corpora.natural_questions.records import records
from raft_exp.corpora.natural_questions.sources import LAYOUT, Test, Train, from_published
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.parts import Source, Sources


@config_dataclass
class NaturalQuestionsConfig:
    """The source of the records, their number and their splits."""

    name: Literal["natural_questions"]
    path: Runtime[str | None]  # the content of files() is part of the key
    collection: Runtime[str | None]  # the content of the file is part of the key
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


class NaturalQuestions(ContextCorpus[NaturalQuestionsConfig]):
    """The corpus `natural_questions`."""

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
    drawn_as: ClassVar[str] = "natural_questions"
    origin: ClassVar[Origin] = Origin(
        "Natural Questions (Kwiatkowski et al. 2019) with text of Wikipedia", "cc-by-sa-3.0"
    )

    def locate(self) -> Sources:
        """Returns the parts in the folder or file `corpus.path`, or the parts to download."""
        config = self.config
        if config.path is None:
            return from_published(config.repo, config.revision, config.train, config.test)
        return LAYOUT.from_path(assets.path(config.path), {"train": config.train, "test": config.test}, self.counts)

    def read(self, source: Source, is_test: bool) -> Iterator[tuple[Path, Record]]:
        """Yields (file, record) for every record of a part."""
        del is_test
        return records(source.files(), self.config.passage == "paragraph")

    def explanation(self, record: Record) -> str:
        """Returns the text of the first gold passage (the long answer of the annotators); "" without gold."""
        return record.gold[0].text if record.gold else ""
