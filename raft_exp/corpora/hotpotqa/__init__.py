"""HotpotQA: questions that need two Wikipedia paragraphs, published with ten paragraphs and supporting sentences.

Training questions come from the official training file, test questions from a dev file: `distractor` (two gold
and eight retrieved paragraphs) or `fullwiki` (ten retrieved paragraphs, often without gold). A single file is split at
random by the seed.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.collection import hash64
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.counting import counting
from raft_exp.corpora.hotpotqa import splits
from raft_exp.corpora.hotpotqa.records import Paragraph, Record, records
from raft_exp.corpora.hotpotqa.sources import Source, Sources, from_hub, from_path
from raft_exp.corpora.origin import Origin

_PUBLISHED = 10  # paragraphs of a complete record


@config_dataclass
class HotpotqaConfig:
    """The source of the records, their number and their splits."""

    name: Literal["hotpotqa"]
    path: Runtime[str | None]  # the content of files() is part of the key
    setting: Literal["distractor", "fullwiki"]
    max_items: Positive | None
    validation: Share
    test_share: Share
    repo: str
    revision: str


class Hotpotqa:
    """The corpus `hotpotqa`. Its passages depend on neither the seed nor `max_items`; its questions depend on both."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "setting", "repo", "revision")
    shares_gold: ClassVar[bool] = True
    origin: ClassVar[Origin] = Origin(
        "HotpotQA (Yang et al. 2018, arXiv 1809.09600); paragraphs from Wikipedia", "cc-by-sa-4.0"
    )

    def __init__(self, config: HotpotqaConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.counts: Counter[str] = Counter()

    def files(self) -> list[Path]:
        """Returns the data files; [] for data from the hub."""
        return [] if self.config.path is None else [path for source in self._sources for path in source.files]

    def passages(self) -> Iterator[Passage]:
        """Yields every paragraph once, even if several records share it. Memory holds a hash of each paragraph."""
        seen: set[int] = set()
        with counting(self.counts) as counts:
            for source, record in self._records(counts):
                for paragraph in record.paragraphs:
                    if (content := hash64(paragraph.id)) not in seen:
                        seen.add(content)
                        yield _passage(paragraph, source.cited or record.file)
            counts["passages"] = len(seen)

    def questions(self) -> Iterator[Question]:
        """Yields a question for every record that has a split."""
        config = self.config
        assigned = splits.assign(
            self._sources,
            self.seed,
            self.counts,
            test_share=config.test_share,
            validation_share=config.validation,
            max_items=config.max_items,
        )
        with counting(self.counts) as counts:
            for source, record in self._records(counts):
                if split := assigned.splits[source].get(record.id):
                    yield self._question(record, split, config.setting == "fullwiki" or assigned.gold_missing)

    @cached_property
    def _sources(self) -> Sources:
        config = self.config
        if config.path is None:
            return from_hub(config.repo, config.revision, config.setting)
        return from_path(Path(config.path), config.setting, self.counts)

    def _records(self, counts: Counter[str]) -> Iterator[tuple[Source, Record]]:
        for source in self._sources:
            for record in records(source.files):
                counts.update(
                    records=1,
                    without_answer=not record.answer,
                    short_contexts=len(record.paragraphs) < _PUBLISHED,
                    empty_paragraphs=record.empty_paragraphs,
                    unresolved_facts=record.unresolved,
                    **{f"gold_{_gold_coverage(record)}": 1},
                )
                yield source, record

    def _question(self, record: Record, split: str, with_gold_slice: bool) -> Question:
        gold = [paragraph.id for paragraph in record.gold]
        published = list(dict.fromkeys(paragraph.id for paragraph in record.paragraphs))
        gold_slice = {"gold": _gold_coverage(record)} if with_gold_slice else {}
        return Question(
            id=record.id,
            question=record.question,
            answers=[record.answer] if record.answer else [],
            gold=gold,
            split=split,
            given=[name for name in published if name not in gold],
            evidence=record.evidence,
            slices={"type": record.type, "level": record.level, **gold_slice},
            published=published,
            gold_missing=record.gold_missing,
        )


def _gold_coverage(record: Record) -> str:
    """Returns "whole" if the record's context has all gold paragraphs, "part" if it has some, "absent" if none."""
    if not record.gold:
        return "absent"
    return "part" if record.gold_missing else "whole"


def _passage(paragraph: Paragraph, cited: str) -> Passage:
    return Passage(paragraph.id, paragraph.title, paragraph.title, paragraph.text, "", paragraph.sentences, cited)
