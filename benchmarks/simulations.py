"""Coverage of the report's intervals and error rates of its tests, on studies drawn from a known truth.

`python benchmarks/simulations.py` takes half an hour on one core; `--share 0.1` draws a tenth of the studies, `--only`
some kinds of study. The figures stand in docs/explanation/statistics.md.
Rows: found (a true difference), alarm (no difference: called one), covers (the interval holds the truth), detectable
(a difference of the size that the study itself calls detectable: found), pooled and one run (covers
and alarm of methods that leave out that trainings differ).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from judge_studies import judge
from seed_studies import questions_alone, seeds

from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS

SHARE, MEAN, MACRO = METRICS["exact_match"], METRICS["f1"], METRICS["macro_f1"]
LABELS, PRIOR = ("yes", "no", "maybe"), (0.55, 0.34, 0.11)
N = 500
F1 = (0.0, 0.2, 0.4, 2 / 3, 1.0)
MEANS = {  # name -> what a row is worth, and how often
    "F1 0.45": (F1, (0.4, 0.05, 0.15, 0.1, 0.3)),
    "F1 0.02, near 0": (F1, (0.965, 0.01, 0.01, 0.01, 0.005)),
    "F1 0.98, near 1": (F1, (0.01, 0.005, 0.01, 0.01, 0.965)),
    "F1 0.99, nearer 1": (F1, (0.005, 0.003, 0.003, 0.004, 0.985)),
    "similarity 0.6": ((0.3, 0.45, 0.6, 0.75, 0.9), (0.1, 0.2, 0.4, 0.2, 0.1)),
    "similarity 0.96": ((0.5, 0.8, 0.9, 0.95, 1.0), (0.02, 0.03, 0.1, 0.35, 0.5)),
}
WINS = {  # name -> how much arm a wins by in a row, and how often
    "shares far apart": ((-1.0, 0.0, 1.0), (0.08, 0.74, 0.18)),
    "shares near 1": ((-1.0, 0.0, 1.0), (0.01, 0.96, 0.03)),
    "F1": ((-1.0, -0.4, 0.0, 0.4, 1.0), (0.1, 0.1, 0.5, 0.2, 0.1)),
    "F1 near 0": ((-0.4, 0.0, 0.4, 1.0), (0.01, 0.965, 0.015, 0.01)),
}

Row = dict[str, Any]


def pairs(random: np.random.Generator, a: float, b: float, correlation: float) -> tuple[list[float], list[float]]:
    """Scores (0 or 1) of two arms on N questions: means a and b, with this correlation between the arms."""
    both = a * b + correlation * (a * (1 - a) * b * (1 - b)) ** 0.5
    cells = random.choice(4, N, p=[both, a - both, b - both, 1 - a - b + both])
    return (cells <= 1).astype(float).tolist(), np.isin(cells, (0, 2)).astype(float).tolist()


def labels(random: np.random.Generator, skill: float, number: int = N) -> list[tuple[str, str]]:
    """(true, predicted) of an arm that knows the label with probability `skill`, and guesses otherwise."""
    truths = random.choice(LABELS, number, p=PRIOR)
    guessed = np.where(random.random(number) < skill, truths, random.choice(LABELS, number))
    return list(zip(truths.tolist(), guessed.tolist(), strict=True))


def share(studies: int, hit: Callable[[np.random.Generator, int], bool], *names: str) -> float:
    """The share of the studies in which `hit` is true."""
    random = statistics.generator(0, *names)
    return sum(hit(random, study) for study in range(studies)) / studies


def power(studies: int) -> Iterator[Row]:
    """How often true differences are found: ten points in a share, with and without Holm's correction; F1."""
    for a, b in ((0.6, 0.5), (0.3, 0.2), (0.95, 0.85)):
        for corrected in (1, 4):

            def found(random: np.random.Generator, study: int, a: float = a, b: float = b, by: int = corrected) -> bool:
                return by * statistics.compare(SHARE, *pairs(random, a, b, 0.5), random).p_value < 0.05

            rate = share(studies, found, "power", str(a), str(corrected))
            yield {"row": "found", "what": f"{a} against {b}, {corrected} compared", "studies": studies, "rate": rate}

    def half(random: np.random.Generator, study: int) -> bool:
        better, worse = ((np.array(one) * random.choice(F1[2:], N)).tolist() for one in pairs(random, 0.7, 0.535, 0.6))
        return statistics.compare(MEAN, better, worse, random).p_value < 0.05

    rate = share(studies, half, "power", "f1")
    yield {"row": "found", "what": "F1, 0.48 against 0.37", "studies": studies, "rate": rate}


def alarms(studies: int) -> Iterator[Row]:
    """The share of studies that call two arms of one skill different."""

    def shares(random: np.random.Generator, study: int) -> bool:
        return statistics.compare(SHARE, *pairs(random, 0.5, 0.5, 0.5), random).p_value < 0.05

    def means(random: np.random.Generator, study: int) -> bool:
        first, second = ((np.array(one) * random.choice(F1[1:], N)).tolist() for one in pairs(random, 0.6, 0.6, 0.3))
        return statistics.compare(MEAN, first, second, random).p_value < 0.05

    def macro(random: np.random.Generator, study: int) -> bool:
        first = labels(random, 0.6)
        second, third = (
            [
                (true, said if kept else other)
                for (true, said), kept, other in zip(
                    first, random.random(N) < 0.6, random.choice(LABELS, N).tolist(), strict=True
                )
            ]
            for _ in range(2)
        )
        return statistics.compare(MACRO, second, third, random).p_value < 0.05

    for name, hit in (("shares", shares), ("F1", means), ("macro F1", macro)):
        yield {"row": "alarm", "what": name, "studies": studies, "rate": share(studies, hit, "alarms", name)}


def coverage(studies: int) -> Iterator[Row]:
    """How often the interval of one arm holds the truth, also near 0 and 1."""

    def shares(p: float, random: np.random.Generator) -> tuple[Any, Any]:
        return SHARE, (random.random(N) < p).astype(float).tolist()

    def means(values: Any, weights: Any, random: np.random.Generator) -> tuple[Any, Any]:
        return MEAN, random.choice(values, N, p=weights).tolist()

    def macro(skill: float, random: np.random.Generator) -> tuple[Any, Any]:
        return MACRO, labels(random, skill)

    for p in (0.01, 0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98, 0.99):
        yield _covers(studies, f"share {p}", p, partial(shares, p))
    for name, (values, weights) in MEANS.items():
        truth = float(np.dot(values, weights))
        yield _covers(studies, name, truth, partial(means, values, weights))
    for skill in (0.5, 0.97):
        counts = [
            (true, said, prior * (skill * (true == said) + (1 - skill) / 3))
            for true, prior in zip(LABELS, PRIOR, strict=True)
            for said in LABELS
        ]
        draws = np.array([1e9 * weight for *_, weight in counts]).astype(np.int64)[None, :]
        truth = float(MACRO.aggregate([(true, said) for true, said, _ in counts], draws)[0])
        yield _covers(studies, f"macro F1 {truth:.2f}", truth, partial(macro, skill))
    for bad in (0.3, 0.03, 0.01):
        yield _quotes(studies, bad)


def _covers(studies: int, name: str, truth: float, draw: Callable[[np.random.Generator], tuple[Any, Any]]) -> Row:
    def held(random: np.random.Generator, study: int) -> bool:
        found = statistics.estimate(*draw(random), random)
        return found.low <= truth <= found.high

    return {"row": "covers", "what": name, "studies": studies, "rate": share(studies, held, "coverage", name)}


def _quotes(studies: int, bad: float) -> Row:
    """Coverage for a share of quotes. A reply has 0 to 4 quotes; a bad reply has more of them, and most are false."""
    numbers = {False: (0.1, 0.3, 0.3, 0.2, 0.1), True: (0.0, 0.1, 0.2, 0.3, 0.4)}
    true = {False: 1.0, True: 0.3}
    size = {kind: float(np.dot(range(5), weights)) for kind, weights in numbers.items()}
    hits = (1 - bad) * size[False] * true[False] + bad * size[True] * true[True]
    truth = hits / ((1 - bad) * size[False] + bad * size[True])

    def held(random: np.random.Generator, study: int) -> bool:
        kinds = random.random(N) < bad
        sizes = np.where(kinds, random.choice(5, N, p=numbers[True]), random.choice(5, N, p=numbers[False]))
        verbatim = random.binomial(sizes, np.where(kinds, true[True], true[False]))
        found = statistics.clustered(list(zip(verbatim.tolist(), sizes.tolist(), strict=True)))
        return found.low <= truth <= found.high

    name = f"quotes {truth:.3f}, {bad:.0%} bad replies"
    return {"row": "covers", "what": name, "studies": studies, "rate": share(studies, held, name)}


def differences(studies: int) -> Iterator[Row]:
    """Coverage for the difference of two arms, and how often a difference of the size `detectable` is found."""
    for name, (values, weights) in WINS.items():
        truth, metric = float(np.dot(values, weights)), SHARE if "shares" in name else MEAN

        def held(
            random: np.random.Generator,
            study: int,
            v: Any = values,
            w: Any = weights,
            m: Any = metric,
            t: float = truth,
        ) -> bool:
            won = random.choice(v, N, p=w)
            found = statistics.compare(m, np.maximum(won, 0).tolist(), np.maximum(-won, 0).tolist(), random)
            return found.low <= t <= found.high

        rate = share(studies, held, "differences", name)
        yield {"row": "covers", "what": f"difference of {name}", "studies": studies, "rate": rate}
    for a, b, correlation in ((0.5, 0.5, 0.5), (0.9, 0.9, 0.3)):
        random = statistics.generator(0, "seen", str(a))
        size = float(
            np.mean(
                [statistics.compare(SHARE, *pairs(random, a, b, correlation), random).detectable for _ in range(20)]
            )
        )

        def seen(
            random: np.random.Generator,
            study: int,
            a: float = a + size / 2,
            b: float = b - size / 2,
            c: float = correlation,
        ) -> bool:
            return statistics.compare(SHARE, *pairs(random, a, b, c), random).p_value < 0.05

        rate = share(studies, seen, "detectable", str(a))
        yield {"row": "detectable", "what": f"{size:.3f} at {a}", "studies": studies, "rate": rate}


KINDS = {  # name -> simulation, studies of each row
    "power": (power, 500),
    "alarms": (alarms, 2_000),
    "coverage": (coverage, 4_000),
    "differences": (differences, 2_000),
    "seeds": (seeds, 3_000),
    "questions": (questions_alone, 2_000),
    "judge": (judge, 500),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the studies that are drawn")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of study (default: all)")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    options = parser.parse_args(arguments)
    rows, began = [], time.monotonic()
    print(f"{'row':<11}{'what':<68}{'studies':>8}{'rate':>8}{'after s':>9}")
    for simulate, studies in (KINDS[name] for name in options.only):
        for row in simulate(max(1, round(studies * options.share))):
            seconds = time.monotonic() - began
            print(
                f"{row['row']:<11}{row['what']:<68}{row['studies']:>8,}{row['rate']:>8.1%}{seconds:>9.0f}", flush=True
            )
            rows.append(row)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
