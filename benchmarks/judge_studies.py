"""Studies with an imperfect judge and few labels, drawn from a known truth, for `simulations.py`.

Two arms answer the same questions. A question may be easy for both: their scores are correlated. The judge errs at
random, with rates that may differ by arm. People label the replies of some questions, drawn at random, without error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.statistics import Judged

Row = dict[str, Any]
Array = Any

N = 300  # questions
LABELS = (20, 50, 100)
CORRELATION = 0.5  # of the scores of the two arms
FAVOURS = "a judge that favours arm a"
# judge -> for each arm the shares of right and of wrong replies that it calls right
JUDGES = {
    "a perfect judge": ((1.0, 0.0), (1.0, 0.0)),
    "a good judge": ((0.9, 0.1), (0.9, 0.1)),
    "a lenient judge": ((0.95, 0.4), (0.95, 0.4)),
    "a useless judge": ((0.6, 0.6), (0.6, 0.6)),
    FAVOURS: ((0.98, 0.5), (0.7, 0.05)),
}
SHARES = (0.02, 0.1, 0.5, 0.9, 0.98)
PAIRS = ((0.5, 0.5), (0.7, 0.5), (0.95, 0.9))  # shares of arm a and arm b
CLAIMS, SUPPORTED = 5, 0.8  # most claims of a reply, and the share of claims that the passages support
WRONG_CLAIMS = 0.15  # share of claims that the judge gets wrong


@dataclass(frozen=True)
class Study:
    """The true values and the judge's, of both arms, each of shape (N, 2). The first `labels` questions have labels."""

    true: Array
    judged: Array
    labels: int

    def arm(self, number: int) -> Judged:
        values = [None if np.isnan(value) else value for value in self.judged[:, number].tolist()]
        return Judged(values, [*self.true[: self.labels, number].tolist(), *[None] * (len(values) - self.labels)])


def judge(studies: int) -> Iterator[Row]:
    """Coverage of corrected figures, of corrected differences, of both for shares of claims, and of kappa."""
    for name, share, labels in product(JUDGES, SHARES, LABELS):
        if name != FAVOURS:  # a figure of one arm depends only on the judge's errors on that arm
            draw = _drawn(name, share, share, labels)
            yield _figure(studies, f"share {share}, {name}, {labels} labels", share, draw)
    for name, (a, b), labels in product(JUDGES, PAIRS, LABELS):
        what = f"difference of {a} and {b}, {name}, {labels} labels"
        yield _difference(studies, what, a - b, _drawn(name, a, b, labels))
    for labels in LABELS:
        claims, missing = partial(_of_claims, labels), partial(_with_missing, labels)
        yield _figure(studies, f"claims, {labels} labels", SUPPORTED, claims)
        yield _difference(studies, f"difference of claims, {labels} labels", 0, claims)
        yield _figure(studies, f"missing judgements, {labels} labels", 0.7, missing)
        yield _kappa(studies, labels)
    yield _uncorrected(studies)


def _drawn(name: str, a: float, b: float, labels: int) -> Callable[[np.random.Generator], Study]:
    def draw(random: np.random.Generator) -> Study:
        both = a * b + CORRELATION * (a * (1 - a) * b * (1 - b)) ** 0.5
        cells = random.choice(4, N, p=[both, a - both, b - both, 1 - a - b + both])
        true = np.stack([cells <= 1, np.isin(cells, (0, 2))], axis=1)
        called_right = np.where(true, *np.transpose(JUDGES[name])[:, None, :])
        return Study(true.astype(float), (random.random((N, 2)) < called_right).astype(float), labels)

    return draw


def _of_claims(labels: int, random: np.random.Generator) -> Study:
    """Replies of 1 to 5 claims. The claims of a reply stand together: all are supported more often than by chance."""
    numbers = random.integers(1, CLAIMS + 1, (N, 2))
    rates = random.beta(4 * SUPPORTED, 4 * (1 - SUPPORTED), (N, 1))
    supported = random.binomial(numbers, np.broadcast_to(rates, (N, 2)))
    judged = random.binomial(supported, 1 - WRONG_CLAIMS) + random.binomial(numbers - supported, WRONG_CLAIMS)
    return Study(supported / numbers, judged / numbers, labels)


def _with_missing(labels: int, random: np.random.Generator) -> Study:
    """A good judge whose judgement is missing for a tenth of the right replies and for half of the wrong ones."""
    study = _drawn("a good judge", 0.7, 0.7, labels)(random)
    lost = random.random((N, 2)) < np.where(study.true == 1, 0.1, 0.5)
    return Study(study.true, np.where(lost, np.nan, study.judged), labels)


def _share(studies: int, name: str, hit: Callable[[np.random.Generator], bool]) -> float:
    random = statistics.generator(0, "judge", name)
    return sum(hit(random) for _ in range(studies)) / studies


def _figure(studies: int, what: str, truth: float, draw: Callable[[np.random.Generator], Study]) -> Row:
    def held(random: np.random.Generator) -> bool:
        found = statistics.corrected(draw(random).arm(0), random)
        return found.low <= truth <= found.high

    return {"row": "covers", "what": what, "studies": studies, "rate": _share(studies, what, held)}


def _difference(studies: int, what: str, truth: float, draw: Callable[[np.random.Generator], Study]) -> Row:
    def held(random: np.random.Generator) -> bool:
        study = draw(random)
        found = statistics.corrected_difference(study.arm(0), study.arm(1), random)
        return found.low <= truth + 1e-9 and truth - 1e-9 <= found.high

    return {"row": "covers", "what": what, "studies": studies, "rate": _share(studies, what, held)}


def _kappa(studies: int, labels: int) -> Row:
    """Kappa of a good judge where half of the replies are right: 0.9 + 0.9 - 1 = 0.8."""
    draw, what = _drawn("a good judge", 0.5, 0.5, labels), f"kappa, {labels} labels of each arm"

    def held(random: np.random.Generator) -> bool:
        study = draw(random)
        pairs = np.stack([study.judged, study.true], axis=2)[:labels].tolist()
        found = statistics.kappa([[(judged, label) for judged, label in both] for both in pairs], random)
        return found is not None and found.low <= 0.8 <= found.high

    return {"row": "covers", "what": what, "studies": studies, "rate": _share(studies, what, held)}


def _uncorrected(studies: int) -> Row:
    """For comparison, the judge's own difference of two equal arms, by the judge that favours arm a."""
    draw, what = _drawn(FAVOURS, 0.5, 0.5, 0), "difference of 0.5 and 0.5 by the judge that favours arm a"

    def held(random: np.random.Generator) -> bool:
        judged = draw(random).judged
        found = statistics.compare(METRICS["exact_match"], judged[:, 0].tolist(), judged[:, 1].tolist(), random)
        return found.low <= 0 <= found.high

    return {"row": "uncorrected", "what": what, "studies": studies, "rate": _share(studies, what, held)}
