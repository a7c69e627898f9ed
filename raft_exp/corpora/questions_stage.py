"""Stage `questions`: each question with its answers, its gold passages and its split."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, write_jsonl
from raft_exp.core.schema import Count, KeyedWhenSet, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig, open_corpus
from raft_exp.corpora.questions import QuestionsFileConfig, ReadyQuestions, files_of
from raft_exp.models.encoder import EncoderConfig
from raft_exp.retrieval.likeness import ByVectors

VERSION = 3
GOLD_RULES = 1  # version of the rules by which gold passages and quotes of a file of questions are chosen (`gold.py`)


@config_dataclass
class QuestionsStage:
    """Settings of the questions."""

    corpus: CorpusConfig
    seed: Seed
    gold_rules: KeyedWhenSet[Count] = 0  # GOLD_RULES where questions come from a file
    encoder: KeyedWhenSet[EncoderConfig | None] = None  # finds gold passages and quotes in a file; None: bm25 does


@stage("questions", VERSION)
def questions(config: QuestionsStage, *, passages: Path, out: Path, embedded: Path | None = None) -> None:
    """Writes questions.jsonl and counts.json. Raises DataError when a split that a study needs is empty.

    `embedded`: the vectors of the passages, where the settings have an encoder.
    """
    corpus = open_corpus(config.corpus, config.seed)
    stream, splits = corpus.questions(), Counter[str]()
    if isinstance(config.corpus, QuestionsFileConfig):
        for file in files_of(config.corpus):
            likeness = ByVectors(config.encoder, embedded) if config.encoder and embedded else None
            ready = ReadyQuestions(file, Passages(passages), config.corpus, config.seed, likeness)
            stream = ready.stream(corpus.counts)
    write_jsonl(out / "questions.jsonl", _checked(stream, splits))
    for split in ("train", "test"):
        if not splits[split]:
            raise DataError(
                f"corpus.name={config.corpus.name!r} has no {split} questions (found {dict(splits)}); "
                "check corpus.path, corpus.train, corpus.test and the splits beside the data"
            )
    (out / "counts.json").write_text(
        json.dumps({**dict(sorted(splits.items())), **dict(sorted(corpus.counts.items()))}), encoding="utf-8"
    )


def _checked(stream: Iterator[Question], splits: Counter[str]) -> Iterator[Question]:
    """Yields and counts the questions. Raises DataError for a repeated id or a test question without an answer."""
    seen: set[str] = set()
    for question in stream:
        if question.id in seen:
            raise DataError(f"question id {question.id!r} comes twice; ids must be unique")
        seen.add(question.id)
        if question.split == "test" and not question.answers:
            raise DataError(
                f"test question {question.id!r} has no answer to compare with; give it one, or remove it (of PubMedQA: "
                "test on a subset with answers, corpus.test)"
            )
        splits[question.split] += 1
        yield question
