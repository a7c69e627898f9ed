"""The search for near copies of test passages in training, beside datasketch's MinHash LSH and beside all pairs.

`python benchmarks/leaks.py [TRAINING [TEST]]`, with `pip install datasketch`. Made texts of 130 words; a hundred test
passages stand in training with two words changed, a hundred merged with another passage. Prints JSON: CPU seconds, the
ratio to ours, and the share of the planted copies found. All pairs are timed on a sample and scaled.
"""

import json
import random
import sys
from collections.abc import Callable
from itertools import islice

from clock import Clock

from raft_exp.core.near_copies import CONTAINMENT, near_copies
from raft_exp.core.shingles import WIDTH, shingles, units

WORDS, PLANTED, SAMPLE = 130, 100, 20
Pairs = set[tuple[int, int]]


def made(training: int, test: int) -> tuple[list[str], list[str], Pairs, Pairs]:
    """Training and test passages, and the planted pairs (training, test): changed ones, merged ones."""
    generator = random.Random(0)
    vocabulary = [f"word{number}" for number in range(30_000)]

    def text() -> list[str]:
        return generator.choices(vocabulary, k=WORDS)

    tested, learned = [text() for _ in range(test)], [text() for _ in range(training)]
    changed, merged = set(), set()
    for number in range(PLANTED):
        copy = list(tested[number])
        copy[WORDS // 3], copy[WORDS // 2] = "other", "words"
        learned[number] = copy
        learned[PLANTED + number] += tested[PLANTED + number]
        changed.add((number, number))
        merged.add((PLANTED + number, PLANTED + number))
    return [" ".join(words) for words in learned], [" ".join(words) for words in tested], changed, merged


def ours(learned: list[str], tested: list[str]) -> Pairs:
    return {
        (pair.first, pair.second)
        for pair in near_copies((shingles(units(text)) for text in learned), (shingles(units(text)) for text in tested))
    }


def runs(text: str) -> set[bytes]:
    words = text.split()
    return {" ".join(words[start : start + WIDTH]).encode() for start in range(len(words) - WIDTH + 1)}


def datasketch(learned: list[str], tested: list[str]) -> Pairs:
    """MinHash of 128 permutations, LSH at a Jaccard similarity of 0.5; candidates are not verified."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.5, num_perm=128)
    for number, sketch in enumerate(MinHash.generator(map(runs, tested), num_perm=128)):
        index.insert(number, sketch)
    sketches = MinHash.generator(map(runs, learned), num_perm=128)
    return {(number, found) for number, sketch in enumerate(sketches) for found in index.query(sketch)}


def all_pairs(learned: list[str], tested: list[str]) -> Pairs:
    of_test = [runs(text) for text in tested]
    return {
        (number, place)
        for number, one in enumerate(map(runs, learned))
        for place, other in enumerate(of_test)
        if len(one & other) >= CONTAINMENT * min(len(one), len(other))
    }


def measure(
    find: Callable[[list[str], list[str]], Pairs], texts: tuple[list[str], list[str], Pairs, Pairs]
) -> dict[str, float]:
    learned, tested, changed, merged = texts
    start = Clock()
    found = find(learned, tested)
    return {
        **start.figures(),
        "changed": len(found & changed) / len(changed),
        "merged": len(found & merged) / len(merged),
        "others": len(found - changed - merged),
    }


def main(training: int = 40_000, test: int = 2_000) -> None:
    texts = made(training, test)
    figures = {"raft_exp": measure(ours, texts), "datasketch": measure(datasketch, texts)}
    start = Clock()
    all_pairs(list(islice(texts[0], SAMPLE)), texts[1])
    scaled = {name: seconds * training / SAMPLE for name, seconds in start.figures().items()}
    figures["all pairs, scaled"] = scaled
    ours_seconds = figures["raft_exp"]["cpu_seconds"]
    ratios = {name: round(one["cpu_seconds"] / ours_seconds, 1) for name, one in figures.items()}
    print(json.dumps({"training": training, "test": test, **figures, "times ours": ratios}, indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
