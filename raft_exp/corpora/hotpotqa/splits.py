"""Who trains, validates and tests. Choices hang on the seed and each id alone, so smaller ones lie in larger ones."""

from collections import Counter
from dataclasses import dataclass

from raft_exp.audit import words
from raft_exp.contexts import limited
from raft_exp.corpora.hotpotqa.records import records
from raft_exp.corpora.hotpotqa.sources import Source, Sources
from raft_exp.corpora.shares import drawn
from raft_exp.passages import hash64


@dataclass(frozen=True)
class _Known:
    """What of a record decides its split."""

    words: int
    learnable: bool


def assign(
    sources: Sources,
    seed: int,
    counts: Counter[str],
    *,
    test_share: float,
    validation_share: float,
    max_items: int | None,
) -> dict[Source, dict[str, str]]:
    """For each source id -> train, validation or test, of the records that are asked about.

    All of the test source is tested, also where gold is missing; without a train source a share of it by chance.
    A question is not trained on when evidence is missing or when a test question has the same words.
    """
    tested, train = _known(sources.test), _known(sources.train) if sources.train else {}
    if not sources.train:
        chosen = drawn(tested, test_share, seed, "hotpotqa test")
        train = {name: known for name, known in tested.items() if name not in chosen}
        tested = {name: known for name, known in tested.items() if name in chosen}
    counts["seeded_split"] = int(sources.train is None)
    learned = _learned(train, tested, counts)
    validation = drawn(learned, validation_share, seed, "hotpotqa validation")
    kept = limited((name for name in learned if name not in validation), max_items, seed)
    asked = dict.fromkeys(tested, "test")
    trained = {
        name: "validation" if name in validation else "train" for name in learned if name in validation or name in kept
    }
    return {sources.test: asked, sources.train: trained} if sources.train else {sources.test: asked | trained}


def _learned(train: dict[str, _Known], tested: dict[str, _Known], counts: Counter[str]) -> list[str]:
    """The ids that may be trained on, and counts of the others."""
    asked = {known.words for known in tested.values()}
    clean = [name for name, known in train.items() if name not in tested and known.words not in asked]
    learned = [name for name in clean if train[name].learnable]
    counts["test_questions_removed_from_train"] = len(train) - len(clean)
    counts["not_trained_without_evidence"] = len(clean) - len(learned)
    return learned


def _known(source: Source) -> dict[str, _Known]:
    """What is known of the records that have an answer."""
    return {
        record.id: _Known(hash64(words(record.question)), record.learnable)
        for record in records(source.files)
        if record.answer
    }
