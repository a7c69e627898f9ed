"""Stage `rerank`: a cross-encoder orders the first passages of the retriever again, for each question of a data set.

It runs only in studies with `retriever.rerank` and retrieved contexts. Data sets with the same questions share a
result, even if their contexts have different numbers of passages.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.progress import track
from raft_exp.core.records import Question, append_complete_lines, dumps, read_ids, read_jsonl
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.schema import Positive, Seed, config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.models.cross_encoder import RerankConfig, load
from raft_exp.retrieval import Rankers
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.rerank import RANKINGS, Ranking, reranked

VERSION = 1


@config_dataclass
class RerankStage:
    """Settings that change the rankings."""

    retriever: str  # bm25, dense or hybrid
    reranker: RerankConfig
    samples: dict[str, Positive | None]  # split -> largest number of its questions (None: all), drawn by `seed`
    seed: Seed


def compute_shard(
    config: RerankStage,
    *,
    passages: Path,
    questions: Path,
    shard: Shard,
    out: Path,
    targets: Path | None = None,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
) -> None:
    """Appends a row for each question of the shard to rankings.jsonl."""
    asked = _Asked(config, questions, targets)
    if rows := shard.rows(asked.total):
        _rank(config, asked, rows, passages, embedded, indexed, out)
    else:
        (out / RANKINGS).touch()


def join_shards(
    config: RerankStage,
    *,
    passages: Path,
    questions: Path,
    shards: Sequence[Path],
    out: Path,
    targets: Path | None = None,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
) -> None:
    """Writes the files of `rerank` from the rankings of all shards."""
    with (out / RANKINGS).open("wb") as whole:
        for folder in shards:
            with (folder / RANKINGS).open("rb") as rankings:
                shutil.copyfileobj(rankings, whole)
    _count(_Asked(config, questions, targets).total, out)


@stage("rerank", VERSION, resumable=True, sharded=Sharded(compute_shard, join_shards))
def rerank(
    config: RerankStage,
    *,
    passages: Path,
    questions: Path,
    out: Path,
    targets: Path | None = None,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
) -> None:
    """Appends a row for each question to rankings.jsonl, and writes counts.json. Continues the file of a killed run.

    `targets`: the folder of the targets, for training questions; questions without a target are left out. `embedded`,
    `indexed`: the folders of the stages embed and index, as the retriever needs them. Raises ModelError where the
    cross-encoder fails.
    """
    asked = _Asked(config, questions, targets)
    _rank(config, asked, range(asked.total), passages, embedded, indexed, out)
    _count(asked.total, out)


class _Asked:
    """The questions of the samples. `total`: their number."""

    def __init__(self, config: RerankStage, questions: Path, targets: Path | None) -> None:
        self._questions, self._samples = questions, _samples(config, questions, targets)
        self.total = sum(1 for _ in self.rows(0, None))

    def rows(self, start: int, stop: int | None) -> Iterator[Question]:
        """Yields the questions in the order of questions.jsonl, from number `start` up to, not including, `stop`."""
        return islice(_chosen(self._questions, self._samples), start, stop)


def _rank(
    config: RerankStage,
    asked: _Asked,
    rows: range,
    passages: Path,
    embedded: Mapping[str, Path] | None,
    indexed: Path | None,
    out: Path,
) -> None:
    """Appends the missing rankings of the questions `rows`."""
    collection = Passages(passages)
    done = append_complete_lines(out / RANKINGS)
    rest = partial(asked.rows, rows.start + done, rows.stop)
    score = load(config.reranker)
    filter_of_none = DistractorFilter(collection, same_document=True, answer_allowed=True)
    rankers = Rankers(filter_of_none, config.seed, embedded, indexed=indexed)
    rank = rankers.ranker(config.retriever, None, np.arange(len(collection)), rest)
    with (out / RANKINGS).open("a", encoding="utf-8", newline="\n") as lines:
        for question in track(rest(), "reranking", len(rows), done):
            first = list(islice(rank(question), config.reranker.k_first))
            ranked = reranked(score, collection, question.question, first)
            lines.write(dumps(Ranking(question.id, first, ranked)) + "\n")


def _count(total: int, out: Path) -> None:
    (out / "counts.json").write_text(json.dumps({"questions": total}), encoding="utf-8")


def _samples(config: RerankStage, questions: Path, targets: Path | None) -> dict[str, HashSample]:
    """Returns the sample of question ids of each split, which is the same as in the data set."""
    with_target = None if targets is None else set(read_ids(targets / "targets.jsonl"))

    def ids(split: str) -> Iterator[str]:
        rows = read_jsonl(questions / "questions.jsonl", Question)
        return (row.id for row in rows if row.split == split and (with_target is None or row.id in with_target))

    return {split: subsample(ids(split), most, config.seed) for split, most in config.samples.items()}


def _chosen(questions: Path, samples: Mapping[str, HashSample]) -> Iterator[Question]:
    """Yields the questions of the samples in the order of questions.jsonl."""
    for question in read_jsonl(questions / "questions.jsonl", Question):
        if question.split in samples and question.id in samples[question.split]:
            yield question
