"""Questions whose answers are labels: the confusion matrix of each arm, and baselines that need no model."""

from collections import Counter
from collections.abc import Iterable, Sequence

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import LABELS, METRICS, Graded, Observation, Profile, decision
from raft_exp.evaluation.results import Baseline, Classes, LabelScores
from raft_exp.evaluation.scoring.figures import summary
from raft_exp.evaluation.scoring.replies import ScoredArm

OTHER = "other"  # any prediction that is not a label of the test set


def classes(arm: ScoredArm, profile: Profile) -> Classes | None:
    """Returns the confusion matrix of an arm and the scores of each label; None for open answers.

    A label that is never predicted has precision 0.
    """
    if not profile.closed:
        return None
    names = _names(row["answers"][0] for row in arm.rows)
    pairs = Counter((row["answers"][0], _predicted(row["prediction"], names)) for row in arm.rows)
    columns = [*names, *([OTHER] if any(predicted == OTHER for _, predicted in pairs) else [])]
    confusion = {true: {predicted: pairs[true, predicted] for predicted in columns} for true in names}
    return {"confusion": confusion, "labels": {name: _label(name, confusion) for name in names}}


def _names(answers: Iterable[str]) -> list[str]:
    """Returns the distinct labels: yes, no, maybe, then all others in alphabetical order."""
    return sorted(set(answers), key=lambda name: (LABELS.index(name) if name in LABELS else len(LABELS), name))


def _predicted(prediction: str, names: Sequence[str]) -> str:
    label = decision(prediction)
    return label if label in names else OTHER


def _label(name: str, confusion: dict[str, dict[str, int]]) -> LabelScores:
    right, n = confusion[name][name], sum(confusion[name].values())
    predicted = sum(row[name] for row in confusion.values())
    return {
        "precision": round(right / predicted if predicted else 0.0, 12),
        "recall": round(right / n, 12),
        "f1": round(2 * right / (predicted + n), 12),
        "n": n,
    }


def baselines(examples: Sequence[Example], profile: Profile, seed: int) -> dict[str, Baseline]:
    """Returns the scores of two baselines; {} for open answers.

    `majority` always predicts the most frequent label of the test set; `random` draws each label with equal chance.
    """
    if not profile.closed:
        return {}
    counts = Counter(example.answers[0] for example in examples)
    names = _names(counts)
    label = max(names, key=lambda name: counts[name])
    metrics = [name for name in profile.metrics if METRICS[name].observe and not profile.of_reasons(name)]
    constant = {name: [_observed(name, example.answers, label, profile) for example in examples] for name in metrics}
    chance = {name: _by_chance(name, counts, names, profile, seed).as_figure() for name in metrics}
    return {
        "majority": {"label": decision(label), **summary(constant, metrics, seed)},
        "random": {"n": len(examples), "metrics": chance},
    }


def _observed(metric: str, answers: Sequence[str], label: str, profile: Profile) -> Observation:
    """Returns the observation of a metric for a reply that consists only of `label`. `answers`: reference answers."""
    observe = METRICS[metric].observe
    assert observe is not None, "baselines have no metrics that need a model"
    row = Graded(answers, label, label, profile.normalize, lenient=label, tokenizer=profile.tokenizer)
    return observe(row)


def _by_chance(
    metric: str, counts: Counter[str], names: Sequence[str], profile: Profile, seed: int
) -> statistics.Estimate:
    weights = Counter[Observation]()
    for true, number in counts.items():
        for name in names:  # all labels are equally likely: only the proportions of the weights matter
            weights[_observed(metric, [true], name, profile)] += number
    cells = sorted(weights)
    random = statistics.generator(seed, "random", metric)
    return statistics.expected(METRICS[metric], cells, [weights[cell] for cell in cells], counts.total(), random)
