"""Splits of HotpotQA. Draws depend only on (seed, question), so smaller samples are subsets of larger ones.

Questions with the same words share a split, because one would reveal the answer of the other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from raft_exp.core.collection import hash64
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import plain_words
from raft_exp.corpora.hotpotqa.records import records
from raft_exp.corpora.hotpotqa.sources import Source, Sources
from raft_exp.corpora.shares import draw_share


@dataclass(frozen=True)
class _Features:
    """The properties of a record that decide its split."""

    words: str  # a hash, equal for questions with the same words
    learnable: bool
    gold_missing: bool


@dataclass(frozen=True)
class Assigned:
    """For each source: {record id: train, validation or test}. Records that are not used are missing."""

    splits: dict[Source, dict[str, str]]
    gold_missing: bool  # whether a record of the test source lacks gold paragraphs, as in full-wiki contexts


def assign(
    sources: Sources,
    seed: int,
    counts: Counter[str],
    *,
    test_share: float,
    validation_share: float,
    max_items: int | None,
) -> Assigned:
    """Assigns the records to splits.

    Records without an answer are not used. All others of the test source become test questions, even without gold; if
    there is no training source, a random share of them does. Training has no question without complete evidence, and
    none with the words or the id of a test question.
    """
    test, train = _features(sources.test), _features(sources.train) if sources.train else {}
    gold_missing = any(features.gold_missing for features in test.values())
    if not sources.train:
        test_words = _draw_words(test, test_share, seed, "hotpotqa test")
        train = {name: features for name, features in test.items() if features.words not in test_words}
        test = {name: features for name, features in test.items() if features.words in test_words}
    counts["seeded_split"] = int(sources.train is None)
    learnable = _learnable(train, test, counts)
    validation_words = _draw_words(learnable, validation_share, seed, "hotpotqa validation")
    validation = {name for name, features in learnable.items() if features.words in validation_words}
    sample = subsample((name for name in learnable if name not in validation), max_items, seed)
    tested = dict.fromkeys(test, "test")
    learned = {
        name: "validation" if name in validation else "train"
        for name in learnable
        if name in validation or name in sample
    }
    if sources.train:
        return Assigned({sources.test: tested, sources.train: learned}, gold_missing)
    return Assigned({sources.test: tested | learned}, gold_missing)


def _draw_words(items: Mapping[str, _Features], share: float, seed: int, purpose: str) -> HashSample:
    """Draws a share of the questions. Questions with the same words are drawn together."""
    return draw_share(dict.fromkeys(features.words for features in items.values()), share, seed, purpose)


def _learnable(train: dict[str, _Features], test: dict[str, _Features], counts: Counter[str]) -> dict[str, _Features]:
    """Returns the records that may be trained on. The others are counted."""
    test_words = {features.words for features in test.values()}
    clean = {
        name: features for name, features in train.items() if name not in test and features.words not in test_words
    }
    learnable = {name: features for name, features in clean.items() if features.learnable}
    counts["test_questions_removed_from_train"] = len(train) - len(clean)
    counts["not_trained_without_evidence"] = len(clean) - len(learnable)
    return learnable


def _features(source: Source) -> dict[str, _Features]:
    """Returns {record id: features} of all records with an answer."""
    return {
        record.id: _Features(str(hash64(plain_words(record.question))), record.learnable, record.gold_missing > 0)
        for record in records(source.files)
        if record.answer
    }
