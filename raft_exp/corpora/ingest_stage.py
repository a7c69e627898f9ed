"""Stage `ingest`: writes the passages of a corpus as a collection on disk, and a report of unreadable files."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from raft_exp.core.collection import REPEATED, write_passages
from raft_exp.core.records import Passage
from raft_exp.core.schema import KeyedWhenSet, Runtime, config_dataclass
from raft_exp.core.screen import say
from raft_exp.core.scripts import without_dictionary
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig, any_language, open_corpus
from raft_exp.corpora.documents import Documents
from raft_exp.models.encoder import EncoderConfig

VERSION = 1
REPORT = "ingest_report.json"  # written for a corpus with a `report`


@config_dataclass
class IngestStage:
    """The settings that change the passages. Of the corpus, only its `passage_settings` are part of the store key."""

    corpus: Runtime[CorpusConfig]
    passages: dict[str, object]  # see `corpora.passage_identity`
    splitter: str  # name and version of the sentence splitter: evidence is stored as sentence numbers
    encoder: KeyedWhenSet[EncoderConfig | None] = None  # set if it decides where passages end


@stage("ingest", VERSION)
def ingest(config: IngestStage, *, out: Path) -> None:
    """Writes the collection (`core.collection`), counts.json and the report. The report is written even after a
    failure.
    """
    corpus, scripts = open_corpus(config.corpus), Counter[str]()
    if config.encoder is not None and isinstance(corpus, Documents):
        corpus.encoder = config.encoder
    try:
        by_words = any_language(config.corpus)
        passages = _watched(corpus.passages(), scripts) if by_words else corpus.passages()
        count = write_passages(out, passages, by_words)
    finally:
        if report := getattr(corpus, "report", None):
            (out / REPORT).write_text(json.dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
            for line in report.remarks():
                say(line, error=True)
    if repeated := getattr(corpus, "repeated", None):
        (out / REPEATED).write_text(json.dumps(repeated) + "\n", encoding="utf-8")
    for script, holding in scripts.items():
        corpus.counts[f"in {script}"] = holding
        print(
            f"{holding} of {count} passages have text in {script}, a script without spaces and without a known "
            "dictionary: search and scores use its characters as words",
            file=sys.stderr,
        )
    (out / "counts.json").write_text(
        json.dumps({"passages": count, **dict(sorted(corpus.counts.items()))}), encoding="utf-8"
    )


def _watched(passages: Iterator[Passage], scripts: Counter[str]) -> Iterator[Passage]:
    """Yields the passages unchanged. Counts the passages in scripts without spaces for which no dictionary exists."""
    for passage in passages:
        scripts.update(without_dictionary(passage.text))
        yield passage
