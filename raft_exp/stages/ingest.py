"""Stage `ingest`: documents become a passage collection on disk."""

import json
from pathlib import Path
from typing import Any

from raft_exp import passages
from raft_exp.corpora import CorpusConfig, open_corpus
from raft_exp.schema import Runtime, config_dataclass

VERSION = 1


@config_dataclass
class IngestStage:
    """Settings that change the passages: of the corpus only those that it names (`passage_settings`)."""

    corpus: Runtime[CorpusConfig]
    passages: dict[str, Any]
    splitter: str  # name and version of the sentence splitter: evidence counts its sentences


def ingest(config: IngestStage, *, out: Path) -> None:
    """Writes the collection (`raft_exp.passages`) and counts.json."""
    corpus = open_corpus(config.corpus)
    count = passages.write(out, corpus.passages())
    (out / "counts.json").write_text(json.dumps({"passages": count, **dict(sorted(corpus.counts.items()))}))
