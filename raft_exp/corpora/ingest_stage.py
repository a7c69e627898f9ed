"""Stage `ingest`: documents become a passage collection on disk; what could not be read is said."""

import json
from pathlib import Path
from typing import Any

from raft_exp.core import collection as passages
from raft_exp.core.schema import Runtime, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig, open_corpus

VERSION = 1
REPORT = "ingest_report.json"  # of a corpus that reads files which may be bad


@config_dataclass
class IngestStage:
    """What decides the passages: of the corpus's settings only those that it names (`corpora.passage_identity`)."""

    corpus: Runtime[CorpusConfig]
    passages: dict[str, Any]
    splitter: str  # name and version of the sentence splitter: evidence counts its sentences


@stage("ingest", VERSION)
def ingest(config: IngestStage, *, out: Path) -> None:
    """Writes the collection (`core.collection`), counts.json and the report of the files, also where it fails."""
    corpus = open_corpus(config.corpus)
    try:
        count = passages.write_passages(out, corpus.passages())
    finally:
        if report := getattr(corpus, "report", None):
            (out / REPORT).write_text(json.dumps(report.as_dict(), indent=1) + "\n")
    (out / "counts.json").write_text(json.dumps({"passages": count, **dict(sorted(corpus.counts.items()))}))
