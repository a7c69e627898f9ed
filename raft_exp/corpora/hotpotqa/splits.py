"""Who trains, validates and tests. Choices hang on the seed and on each question alone, so smaller ones lie in larger.

Questions of the same words go one way, as they would tell each other's answers.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from raft_exp.core.collection import hash64
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import normalise
from raft_exp.corpora.hotpotqa.records import records
from raft_exp.corpora.hotpotqa.sources import Source, Sources
from raft_exp.corpora.shares import drawn


@dataclass(frozen=True)
class _Known:
    """What of a record decides its split."""

    words: str  # equal for questions of the same words
    learnable: bool
    gold_missing: bool


@dataclass(frozen=True)
class Assigned:
    """What was drawn: for each source id -> train, validation or test, of the records that are asked about."""

    splits: dict[Source, dict[str, str]]
    gold_missing: bool  # whether records of the test's files lack gold, as full-wiki ones do


def assign(
    sources: Sources,
    seed: int,
    counts: Counter[str],
    *,
    test_share: float,
    validation_share: float,
    max_items: int | None,
) -> Assigned:
    """All of the test source is tested, also where gold is missing; without a train source a share of it by chance.
    A question is not trained on when evidence is missing or when a test question has the same words.
    """
    tested, train = _known(sources.test), _known(sources.train) if sources.train else {}
    gold_missing = any(known.gold_missing for known in tested.values())
    if not sources.train:
        chosen = _drawn(tested, test_share, seed, "hotpotqa test")
        train = {name: known for name, known in tested.items() if known.words not in chosen}
        tested = {name: known for name, known in tested.items() if known.words in chosen}
    counts["seeded_split"] = int(sources.train is None)
    learned = _learned(train, tested, counts)
    chosen = _drawn(learned, validation_share, seed, "hotpotqa validation")
    validation = {name for name, known in learned.items() if known.words in chosen}
    kept = subsample((name for name in learned if name not in validation), max_items, seed)
    asked = dict.fromkeys(tested, "test")
    trained = {
        name: "validation" if name in validation else "train" for name in learned if name in validation or name in kept
    }
    alone = {sources.test: asked | trained}
    return Assigned({sources.test: asked, sources.train: trained} if sources.train else alone, gold_missing)


def _drawn(items: Mapping[str, _Known], share: float, seed: int, purpose: str) -> HashSample:
    """The words of a share of the questions."""
    return drawn(dict.fromkeys(known.words for known in items.values()), share, seed, purpose)


def _learned(train: dict[str, _Known], tested: dict[str, _Known], counts: Counter[str]) -> dict[str, _Known]:
    """What may be trained on, and counts of the others."""
    asked = {known.words for known in tested.values()}
    clean = {name: known for name, known in train.items() if name not in tested and known.words not in asked}
    learned = {name: known for name, known in clean.items() if known.learnable}
    counts["test_questions_removed_from_train"] = len(train) - len(clean)
    counts["not_trained_without_evidence"] = len(clean) - len(learned)
    return learned


def _known(source: Source) -> dict[str, _Known]:
    """What is known of the records that have an answer."""
    return {
        record.id: _Known(str(hash64(normalise(record.question))), record.learnable, record.gold_missing > 0)
        for record in records(source.files)
        if record.answer
    }
