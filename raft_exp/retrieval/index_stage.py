"""Stage `index`: the BM25 index of all passages. It runs only in studies that use bm25."""

import json
from collections.abc import Sequence
from pathlib import Path

from raft_exp.core.collection import TEXTS, Passages
from raft_exp.core.progress import track
from raft_exp.core.schema import config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.retrieval import word_index
from raft_exp.retrieval.text import searched_text

VERSION = 1
_PART = 32 * 2**20  # bytes of passage text for each part of the index; a part's postings (about 64 MiB) fit in memory


@config_dataclass
class IndexStage:
    """Settings that change the index."""

    words: str  # name and version of the library that splits a text into words


def compute_shard(config: IndexStage, *, passages: Path, shard: Shard, out: Path) -> None:
    """Writes the word counts of the shard's passages, for `join_shards` (see `word_index.count`)."""
    collection = Passages(passages)
    rows = shard.rows(len(collection))
    texts = (searched_text(collection[row]) for row in rows)
    word_index.count(out, texts, rows.start, _parts(passages), collection.any_language)


def join_shards(config: IndexStage, *, passages: Path, shards: Sequence[Path], out: Path) -> None:
    """Writes the files of `index` from the counts of all shards."""
    _count(out, word_index.finish(out, shards, _parts(passages), Passages(passages).any_language))


@stage("index", VERSION, sharded=Sharded(compute_shard, join_shards))
def index(config: IndexStage, *, passages: Path, out: Path) -> None:
    """Writes the files of the index (see `raft_exp.retrieval.word_index`), and counts.json."""
    collection = Passages(passages)
    texts = (searched_text(passage) for passage in track(collection, "indexing", len(collection)))
    _count(out, word_index.write(out, texts, _parts(passages), collection.any_language))


def _parts(passages: Path) -> int:
    return 1 + (passages / TEXTS).stat().st_size // _PART


def _count(out: Path, counts: dict[str, int]) -> None:
    (out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
