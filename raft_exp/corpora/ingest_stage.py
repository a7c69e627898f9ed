"""Stage `ingest`: writes the passages of a corpus as a collection on disk, with counts and a report."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from raft_exp.core.collection import REPEATED, write_passages
from raft_exp.core.collection_parts import join_parts, write_blocks, write_part
from raft_exp.core.records import Passage
from raft_exp.core.schema import KeyedWhenSet, Runtime, config_dataclass
from raft_exp.core.screen import say
from raft_exp.core.scripts import without_dictionary
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.corpora import Corpus, CorpusConfig, any_language, open_corpus
from raft_exp.corpora.context_corpus import ContextCorpus
from raft_exp.corpora.documents import Documents, DocumentsConfig
from raft_exp.corpora.natural_questions import NaturalQuestionsConfig
from raft_exp.corpora.passages import PassagesConfig, ReadyPassages
from raft_exp.corpora.triviaqa import TriviaqaConfig
from raft_exp.models.encoder import EncoderConfig

VERSION = 1
REPORT = "ingest_report.json"  # written for a corpus with a `report`
READINGS, SCRIPTS = "readings.jsonl", "scripts.json"  # of a shard: the contents of its files; passages per script


@config_dataclass
class IngestStage:
    """The settings that change the passages. The store key has `passages` in place of all settings of the corpus."""

    corpus: Runtime[CorpusConfig]
    passages: dict[str, object]  # see `corpora.passage_identity`
    splitter: str  # name and version of the sentence splitter: evidence is stored as sentence numbers
    encoder: KeyedWhenSet[EncoderConfig | None] = None  # set if it decides where passages end


def compute_shard(config: IngestStage, *, shard: Shard, out: Path) -> None:
    """Reads the shard's files (corpus documents), or writes the shard's part of the collection (other corpora)."""
    corpus = _opened(config)
    if isinstance(corpus, Documents):
        corpus.read_shard(shard, out / READINGS)
        return
    if isinstance(corpus, ContextCorpus):
        corpus.write_shard(shard, out)
        return
    assert isinstance(corpus, ReadyPassages), "other corpora are not sharded"
    scripts = Counter[str]()
    write_part(out, _watched(corpus.passages_of(shard), scripts))
    (out / SCRIPTS).write_text(json.dumps(scripts), encoding="utf-8")


def join_shards(config: IngestStage, *, shards: Sequence[Path], out: Path) -> None:
    """Writes the files of the stage `ingest` from those of all shards."""
    corpus = _opened(config)
    if isinstance(corpus, Documents):
        corpus.use_shards([folder / READINGS for folder in shards])
        _write(config, corpus, out)
        return
    if isinstance(corpus, ContextCorpus):
        _finish(corpus, write_blocks(out, corpus.joined(shards)), Counter(), out)
        return
    scripts = Counter[str]()
    for folder in shards:
        scripts.update(json.loads((folder / SCRIPTS).read_text(encoding="utf-8")))
    _finish(corpus, join_parts(out, shards, any_language(config.corpus)), scripts, out)


def _is_spreadable(config: IngestStage) -> bool:
    if isinstance(config.corpus, NaturalQuestionsConfig | TriviaqaConfig):
        return config.corpus.collection is not None
    return isinstance(config.corpus, DocumentsConfig | PassagesConfig)


@stage("ingest", VERSION, sharded=Sharded(compute_shard, join_shards, _is_spreadable))
def ingest(config: IngestStage, *, out: Path) -> None:
    """Writes the collection (`core.collection`), counts.json and, for a corpus with a `report`, ingest_report.json.

    The report is written even if the passages cannot be read.
    """
    _write(config, _opened(config), out)


def _opened(config: IngestStage) -> Corpus:
    corpus = open_corpus(config.corpus)
    if config.encoder is not None and isinstance(corpus, Documents):
        corpus.encoder = config.encoder
    return corpus


def _write(config: IngestStage, corpus: Corpus, out: Path) -> None:
    scripts = Counter[str]()
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
    _finish(corpus, count, scripts, out)


def _finish(corpus: Corpus, count: int, scripts: Counter[str], out: Path) -> None:
    """Writes counts.json, and prints a line for each of `scripts`: scripts without a known dictionary -> passages."""
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
