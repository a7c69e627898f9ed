"""Studies of several training seeds, drawn from a known truth, for `simulations.py`.

A reply is right where its luck on the question is below the skill of its training. Luck is shared in part by all arms
and trainings: some questions are harder. The skill of a training is the arm's skill plus a normal effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.special import ndtr

from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS, Metric

Row = dict[str, Any]
Seeds = list[Mapping[str, float]]

N = 300  # questions of a seed
SKILL = 0.65  # the share of questions that the trained arms answer right
BETTER = 0.1  # by how much their figure is above that of the untrained arm
SHARED = 0.8  # the part of a question in the luck of a reply; the correlation of two replies to it is its square
F1 = (0.2, 0.4, 2 / 3, 1.0)  # what a right reply scores, where the metric is like F1
DEVIATIONS = (0, 1, 2, 3)  # points
QUANTITIES = (
    ("covers", "figure"),
    ("covers", "difference"),
    ("alarm", "no difference"),
    ("found", f"{100 * BETTER:.0f} points"),
)


@dataclass(frozen=True)
class Setting:
    """`deviation` is that of the figure from training to training, in points; `same` that of the seeds' questions."""

    seeds: int
    same: bool
    metric: str
    deviation: int

    @property
    def scored(self) -> Metric:
        return METRICS[self.metric]

    @property
    def worth(self) -> float:
        """The mean score of a right reply."""
        return 1.0 if self.scored.share else float(np.mean(F1))

    def __str__(self) -> str:
        questions = "the same" if self.same else "own"
        name = "share" if self.scored.share else "F1"
        return f"{self.seeds} seeds, {questions} questions, {name}, deviation {self.deviation}"


def settings() -> Iterator[Setting]:
    """Three seeds with both kinds of metric, then other numbers of seeds with shares."""
    kinds = [(3, "exact_match"), (3, "f1"), (2, "exact_match"), (5, "exact_match"), (10, "exact_match")]
    for (number, metric), same, deviation in product(kinds, (True, False), DEVIATIONS):
        yield Setting(number, same, metric, deviation)


def seeds(studies: int) -> Iterator[Row]:
    """Intervals and tests over several seeds. `no difference`: two trained arms of one skill; else a trained arm
    against an untrained one, which replies the same to the same question in every seed."""
    for setting in settings():
        random = statistics.generator(0, "seeds", str(setting))
        hits = np.array([_study(setting, random) for _ in range(studies)]).mean(axis=0)
        for (row, what), rate in zip(QUANTITIES, hits.tolist(), strict=True):
            yield {"row": row, "what": f"{setting}: {what}", "studies": studies, "rate": rate}


def questions_alone(studies: int) -> Iterator[Row]:
    """For comparison, methods that leave out that trainings differ: intervals over the pooled questions of three seeds,
    and the test of two trained arms of one skill in one run."""
    for deviation in DEVIATIONS:
        setting = Setting(3, False, "exact_match", deviation)
        random = statistics.generator(0, "pooled", str(setting))
        held = 0
        for _ in range(studies):
            trained, _other, _untrained = _arms(setting, random)
            found = statistics.estimate(setting.scored, [value for seed in trained for value in seed.values()], random)
            held += found.low <= SKILL <= found.high
        yield {"row": "pooled", "what": f"{setting}: figure", "studies": studies, "rate": held / studies}
    for deviation in DEVIATIONS:
        setting = Setting(1, True, "exact_match", deviation)
        random = statistics.generator(0, "one run", str(setting))
        called = 0
        for _ in range(studies):
            [a], [b], _untrained = _arms(setting, random)
            called += statistics.compare(setting.scored, [*a.values()], [*b.values()], random).p_value < 0.05
        yield {"row": "one run", "what": f"{setting}: no difference", "studies": studies, "rate": called / studies}


def _study(setting: Setting, random: np.random.Generator) -> Sequence[bool]:
    trained, other, untrained = _arms(setting, random)
    figure = statistics.estimate_over_seeds(setting.scored, trained)
    none = statistics.compare_over_seeds(setting.scored, trained, other)
    some = statistics.compare_over_seeds(setting.scored, trained, untrained)
    return (
        figure.low <= SKILL * setting.worth <= figure.high,
        some.low <= BETTER <= some.high,
        none.p_value < 0.05,
        some.p_value < 0.05,
    )


def _arms(setting: Setting, random: np.random.Generator) -> tuple[Seeds, Seeds, Seeds]:
    """Two trained arms of one skill, and an untrained arm."""
    shape = (1 if setting.same else setting.seeds, N)
    hard = random.standard_normal(shape)

    def replies(skills: Any, times: int) -> Any:
        own = random.standard_normal((times, N))
        right = ndtr(SHARED * hard + (1 - SHARED**2) ** 0.5 * own) < skills[:, None]
        return right * (1.0 if setting.scored.share else random.choice(F1, (times, N)))

    def trained() -> Any:
        effects = random.normal(0, setting.deviation / 100 / setting.worth, setting.seeds)
        return replies(SKILL + effects, setting.seeds)

    untrained = replies(np.full(len(hard), SKILL - BETTER / setting.worth), len(hard))
    if setting.same:
        untrained = np.repeat(untrained, setting.seeds, axis=0)
    return _named(setting, trained()), _named(setting, trained()), _named(setting, untrained)


def _named(setting: Setting, values: Any) -> Seeds:
    """The observations of each seed by question."""
    worlds = [""] * setting.seeds if setting.same else [f"{seed} " for seed in range(setting.seeds)]
    return [
        {f"{world}{place}": value for place, value in enumerate(row)}
        for world, row in zip(worlds, values.tolist(), strict=True)
    ]
