"""Corpus `pubmedqa`: questions about PubMed abstracts, to be answered with yes, no or maybe.

The abstract is shown without its conclusion. The test split of PQA-L is the official one: all PMIDs that are not among
the 500 of `assets/pubmedqa_non_test_pmids.txt`, or the PMIDs of a `test_ground_truth.json` beside the data. If training
or test would be empty, a seeded split is drawn.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.counting import counting
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.pubmedqa import splits
from raft_exp.corpora.pubmedqa.records import Article, articles
from raft_exp.corpora.pubmedqa.sources import Source, Sources, from_hub, from_path
from raft_exp.corpora.sentences import split_sentences

Subset = Literal["pqa_artificial", "pqa_labeled", "pqa_unlabeled"]


@config_dataclass
class PubmedqaConfig:
    """The source of the records, their number and their splits."""

    name: Literal["pubmedqa"]
    path: Runtime[str | None]  # the content of files() is part of the key
    train: Subset
    test: Subset
    max_items: Positive | None
    validation: Share
    test_share: Share
    passage: Literal["section", "abstract"]
    repo: str
    revision: str


class Pubmedqa:
    """The corpus `pubmedqa`.

    Passages depend on neither the seed nor `max_items`; questions depend on both.
    """

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "train", "test", "passage", "repo", "revision")
    origin: ClassVar[Origin] = Origin("PubMedQA (Jin et al. 2019, arXiv 1909.06146); abstracts from PubMed", "mit")

    def __init__(self, config: PubmedqaConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.counts: Counter[str] = Counter()

    def files(self) -> list[Path]:
        """Returns the data files and, if it exists, the ground truth beside them; [] for data from the hub."""
        if self.config.path is None:
            return []
        data = [path for source in self._sources for path in source.files]
        return [*data, *filter(None, [splits.truth_file(self._sources.folder)])]

    def passages(self) -> Iterator[Passage]:
        """Yields every section (or the abstract) of every article once, also of articles without a split."""
        with counting(self.counts) as counts:
            for cited, article in self._articles(counts):
                for passage in self._sections(article, cited) if self._by_section else self._abstract(article, cited):
                    counts["passages"] += 1
                    yield passage

    def questions(self) -> Iterator[Question]:
        """Yields a question for every article that has a split (`splits.assign`).

        `Question.answers` is [] for an article without a decision (all of PQA-U).
        """
        split = self._assign()
        with counting(self.counts) as counts:
            for _, article in self._articles(counts):
                if article.pmid in split:
                    counts["without_decision"] += article.decision is None
                    yield self._question(article, split[article.pmid])

    @cached_property
    def _sources(self) -> Sources:
        config = self.config
        if config.path is None:
            return from_hub(config.repo, config.revision, config.train, config.test)
        return from_path(Path(config.path), config.train, config.test, self.counts)

    @property
    def _by_section(self) -> bool:
        return self.config.passage == "section"

    def _articles(self, counts: Counter[str]) -> Iterator[tuple[str, Article]]:
        """Yields each article once, with the `source` of its passages."""
        earlier: set[str] = set()
        for source in self._sources:
            here: set[str] = set()
            for article in articles(source.files):
                here.add(article.pmid)
                if article.pmid in earlier:
                    continue
                counts["records"] += 1
                counts["empty_sections"] += article.empty_sections
                counts["without_context"] += not article.sections
                yield source.cited or article.file, article
            earlier |= here

    # `title` stays empty: the article's title nearly is the question, and the PMID would reveal the gold sections.

    def _sections(self, article: Article, cited: str) -> Iterator[Passage]:
        for section in article.sections:
            yield Passage(
                id=_section_id(article, section.index),
                document_id=article.pmid,
                title="",
                text=section.text,
                place=f"section {section.label}" if section.label else "",
                sentences=split_sentences(section.text),
                source=cited,
            )

    def _abstract(self, article: Article, cited: str) -> Iterator[Passage]:
        if not article.sections:
            return
        sentences = split_sentences(article.sections[0].text)
        for section in article.sections[1:]:
            first, *others = split_sentences(section.text)
            sentences += ["\n" + first, *others]
        text = "".join(sentences)
        yield Passage(article.pmid, article.pmid, "", text, "abstract", sentences, cited)

    def _question(self, article: Article, split: str) -> Question:
        sections = [_section_id(article, section.index) for section in article.sections]
        return Question(
            id=article.pmid,
            question=article.question,
            answers=[article.decision] if article.decision else [],
            gold=sections if self._by_section else [article.pmid],
            split=split,
            explanation=article.long_answer,
            slices={"class": article.decision or "", "year": article.year},
        )

    def _assign(self) -> dict[str, str]:
        config = self.config
        shares = {"test_share": config.test_share, "validation_share": config.validation}
        known = {source.name: self._known(source) for source in self._sources}
        return splits.assign(self._sources, known, self.seed, self.counts, max_items=config.max_items, **shares)

    def _known(self, source: Source) -> splits.SubsetRecords:
        known = splits.SubsetRecords({}, set())
        for article in articles(source.files):
            known.decisions[article.pmid] = article.decision
            if article.sections:
                known.askable.add(article.pmid)
        return known


def _section_id(article: Article, index: int) -> str:
    return f"{article.pmid}:{index}"
