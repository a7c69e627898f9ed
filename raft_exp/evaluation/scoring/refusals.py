"""Pairs an arm's two replies to a question, with gold in the context and without gold, and computes the figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from raft_exp.core.records import Answer, Example
from raft_exp.evaluation.metrics import ABSTENTION, Observation, Profile
from raft_exp.evaluation.metrics.abstention import Outcome, Pair, curve, observations
from raft_exp.evaluation.results import Abstention, Figure, Prediction
from raft_exp.evaluation.scoring.behaviour import gold_shown
from raft_exp.evaluation.scoring.figures import comparisons, summary
from raft_exp.evaluation.scoring.replies import ScoredArm


@dataclass(frozen=True)
class GradedTest:
    """The graded replies of an arm to a set of test questions."""

    arm: ScoredArm
    examples: Sequence[Example]

    def outcomes(self, gold: str, right: str) -> Iterator[tuple[str, Outcome]]:
        """Yields (question id, outcome) for the questions whose context shows all gold passages, or none of them.

        `gold`: "all" or "none", to choose between the two. `right`: the metric that says whether an answer is right.
        """
        for row, example, answer in zip(self.arm.rows, self.examples, self.arm.answers, strict=True):
            if row["context"] and gold_shown(row, example) == gold:
                yield row["id"], _outcome(row, answer, right)


def paired(with_gold: GradedTest, without: GradedTest, right: str, gold_unknown: frozenset[str]) -> dict[str, Pair]:
    """Returns {question id: pair} for the questions with all gold in the test `with_gold` and none in `without`.

    `right`: the metric that says whether an answer is right. `gold_unknown`: ids of questions for which the data set
    names no gold passages; these questions are left out.
    """
    first = dict(with_gold.outcomes("all", right))
    return {
        name: Pair(first[name], outcome)
        for name, outcome in without.outcomes("none", right)
        if name in first and name not in gold_unknown
    }


def figures(pairs: Mapping[str, Pair], seed: int) -> dict[str, Figure]:
    """Returns an arm's metrics of refusals with their intervals. Undefined metrics are left out."""
    return summary(observations(list(pairs.values())), ABSTENTION, seed)["metrics"] if pairs else {}


def abstention(
    arms: Mapping[str, Mapping[str, Pair]], reference: str, profile: Profile, right: str, with_gold: str, seed: int
) -> Abstention:
    """Compares the reference arm with the other arms in the metrics of refusals.

    `arms`: arm -> question id -> pair. `reference`: name of the reference arm. `right`: the metric that says whether an
    answer is right. `with_gold`: name of the test whose contexts have gold.
    """
    scored = {name: _scored(observations(list(pairs.values()))) for name, pairs in arms.items()}
    own = replace(profile, metrics=tuple(ABSTENTION))
    with_curve = [name for name, arm in scored.items() if "risk_coverage_area" in arm.observed]
    return {
        "with_gold": with_gold,
        "right": right,
        "n": max(map(len, arms.values()), default=0),
        "comparisons": comparisons(reference, scored, own, seed) if reference in scored else [],
        "curves": {name: curve(list(arms[name].values())) for name in with_curve},
    }


def _scored(observed: dict[str, list[Observation]]) -> ScoredArm:
    return ScoredArm([], {name: list(column) for name, column in observed.items()}, [])


def _outcome(row: Prediction, answer: Answer | None, right: str) -> Outcome:
    refuses = bool(row.get("abstained"))
    answers = not refuses and bool(row["raw"].strip())
    return Outcome(
        float(refuses),
        float(answers),
        row["metrics"][right] if answers else 0.0,
        answer.log_probability if answer else None,
    )
