"""Splits of PubMedQA. Draws depend only on (seed, PMID), so smaller samples are subsets of larger ones."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.pubmedqa.records import decision_of
from raft_exp.corpora.pubmedqa.sources import LABELED, ONE_FILE, Sources
from raft_exp.corpora.readers.json_records import open_bytes

GROUND_TRUTH = "test_ground_truth.json"

Decisions = Mapping[str, str | None]  # PMID -> decision


@dataclass(frozen=True)
class SubsetRecords:
    """A subset before it is split: the decision of every article, and the PMIDs of articles with a context."""

    decisions: dict[str, str | None]
    askable: set[str]


def assign(
    sources: Sources,
    known: Mapping[str, SubsetRecords],
    seed: int,
    counts: Counter[str],
    *,
    test_share: float,
    validation_share: float,
    max_items: int | None,
) -> dict[str, str]:
    """Returns {PMID: train, validation or test}; articles that are not used are missing.

    Validation questions are those of PQA-L that `Sources.labeled` gives, else a share of the training questions.
    `known`: name of a subset -> its records.
    """
    test = _test(sources, known[sources.test.name], test_share, seed, counts)
    train = known[sources.train.name].askable - test
    validation: set[str] = set()
    if sources.labeled:
        human = known[LABELED]
        validation = human.askable - test - _official_test(sources, human.decisions)
        # Articles of the test and validation splits are not used for training.
        counts["test_ids_removed_from_train"] = len(known[sources.train.name].askable & test)
        counts["validation_ids_removed_from_train"] = len(train & validation)
        train -= human.decisions.keys()
    validation = validation or _choose_share(train, validation_share, seed, "validation")
    train -= validation
    if max_items is not None:
        train = _choose(train, max_items, seed, "max_items")
    return {**dict.fromkeys(train, "train"), **dict.fromkeys(validation, "validation"), **dict.fromkeys(test, "test")}


def _test(sources: Sources, pool: SubsetRecords, share: float, seed: int, counts: Counter[str]) -> set[str]:
    """Returns the test PMIDs: the official ones, or all articles of a subset without an official list.

    If no training articles would be left, a seeded share is drawn instead.
    """
    alone = sources.test == sources.train
    if sources.test.name in (LABELED, ONE_FILE):
        test = pool.askable & _official_test(sources, pool.decisions)
    else:
        test = set() if alone else set(pool.askable)
    if not test or (alone and test == pool.askable):
        counts["seeded_split"] = 1
        test = _choose_share(pool.askable, share, seed, "test")
    return test


def truth_file(folder: Path | None) -> Path | None:
    """Returns the published list of test articles in the data folder; None if there is none."""
    path = folder / GROUND_TRUTH if folder else None
    return path if path and path.is_file() else None


def _official_test(sources: Sources, decisions: Decisions) -> set[str]:
    """Returns the test PMIDs of PQA-L.

    The ground truth is used if it lists fewer articles than the subset has, else all articles outside the list in
    assets/.
    """
    truth = truth_file(sources.folder)
    listed = _ground_truth(truth) if truth else {}
    # The folder of a single file of another subset may hold PQA-L's ground truth, which lists none of its PMIDs.
    foreign = sources.test.name == ONE_FILE and not listed.keys() & decisions.keys()
    if truth and len(listed) < len(decisions) and not foreign:
        for pmid, decision in listed.items():
            _check_listed(truth, pmid, decision, decisions)
        return set(listed)
    return set(decisions) - _non_test()


def _choose(pmids: Iterable[str], count: int, seed: int, purpose: str) -> set[str]:
    """Returns the `count` PMIDs with the smallest hashes of (seed, purpose, PMID); all if there are fewer."""
    return set(sorted(pmids, key=lambda pmid: sha256(f"{seed} pubmedqa {purpose} {pmid}".encode()).digest())[:count])


def _choose_share(pmids: Iterable[str], share: float, seed: int, purpose: str) -> set[str]:
    """Returns round(share * n) of n PMIDs. With 0 < share < 1 and n > 1, at least one is chosen and one is left."""
    pool = list(pmids)
    count = round(share * len(pool))
    if 0 < share < 1 and len(pool) > 1:
        count = min(max(count, 1), len(pool) - 1)
    return _choose(pool, count, seed, purpose)


def _check_listed(truth: Path, pmid: str, decision: str | None, decisions: Decisions) -> None:
    remedy = f"use the {GROUND_TRUTH} that was published with these records, or remove it"
    if pmid not in decisions:
        raise DataError(f"{truth}: PMID {pmid} is not in the data; {remedy}")
    if decisions[pmid] != decision:
        raise DataError(
            f"{truth}: PMID {pmid} is {decision!r} in this file and {decisions[pmid]!r} in the data; {remedy}"
        )


def _ground_truth(path: Path) -> dict[str, str | None]:
    with open_bytes(path) as file:
        try:
            truth = json.loads(file.read())
        except ValueError as error:
            raise DataError(f"{path}: not JSON ({error}); fetch the file again or remove it") from error
    if not isinstance(truth, dict) or not truth:
        raise DataError(
            f"{path}: expected a JSON object that maps each PMID to its decision; fetch the file again or remove it"
        )
    return {pmid: decision_of(path, pmid, decision) for pmid, decision in truth.items()}


def _non_test() -> set[str]:
    return set((resources.files("raft_exp") / "assets" / "pubmedqa_non_test_pmids.txt").read_text("ascii").split())
