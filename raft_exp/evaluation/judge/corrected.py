"""A judge's figures after their correction by labels of people, and the judge's agreement with the labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.evaluation import statistics
from raft_exp.evaluation.judge.figures import Values
from raft_exp.evaluation.judge.labels import Label
from raft_exp.evaluation.results import Agreement, Corrected, CorrectedComparison, CorrectedFigure, JudgeErrors
from raft_exp.evaluation.statistics import FEWEST_LABELS, Judged

Labels = dict[str, float]  # question -> label
Replies = Mapping[str, tuple[str, str]]  # label_id -> arm and question


@dataclass(frozen=True)
class LabelledTask:
    """The judge's values and the labels of all arms in one task."""

    task: str
    values: Mapping[str, Values]  # by arm
    labels: Mapping[str, Labels]  # by arm; {} for an arm without labels

    def judged(self, arm: str, questions: Iterable[str]) -> Judged:
        """Returns the values and labels of an arm for `questions`, in their order."""
        values, labels = self.values[arm], self.labels[arm]
        names = list(questions)
        return Judged([values[name] for name in names], [labels.get(name) for name in names])


def labelled_tasks(
    path: Path, labels: Iterable[Label], replies: Replies, tasks: Mapping[str, Mapping[str, Values]]
) -> list[LabelledTask]:
    """Assigns labels to the judge's values. `path`: the file of the labels. `tasks`: task -> arm -> the judge's values.

    Raises DataError for a label of a reply that the study does not have, or to which its task does not apply.
    """
    found: dict[str, dict[str, Labels]] = {task: {arm: {} for arm in arms} for task, arms in tasks.items()}
    for label in labels:
        place = f"{path}, line {label.line}"
        if label.reply not in replies:
            raise DataError(
                f"{place}: label_id: got {label.reply!r}, but no reply of this study has it; remove the row, or "
                "make a new sheet of changed replies with python -m raft_exp.label RUN"
            )
        arm, question = replies[label.reply]
        if question not in tasks.get(label.task, {}).get(arm, {}):
            raise DataError(
                f"{place}: task: got {label.task!r}, which does not apply to the reply {label.reply}; remove the row"
            )
        found[label.task][arm][question] = label.value
    return [LabelledTask(task, arms, found[task]) for task, arms in tasks.items()]


def corrected(tasks: Iterable[LabelledTask], reference: str, seed: int) -> Corrected:
    """Returns the corrected figures of each arm in each task, and the reference arm minus each other arm.

    An arm with fewer than `FEWEST_LABELS` labels has no figure; `too_few` has its number of labels. A comparison needs
    as many questions with labels for both arms.
    """
    results: Corrected = {"arms": {}, "comparisons": [], "too_few": {}}
    for task in tasks:
        for arm in task.values:
            if len(task.labels[arm]) < FEWEST_LABELS:
                results["too_few"].setdefault(task.task, {})[arm] = len(task.labels[arm])
            else:
                results["arms"].setdefault(task.task, {})[arm] = _figure(task, arm, seed)
        results["comparisons"] += _comparisons(task, reference, seed)
    return results


def _figure(task: LabelledTask, arm: str, seed: int) -> CorrectedFigure:
    judged = task.judged(arm, task.values[arm])
    estimate = statistics.corrected(judged, statistics.generator(seed, "corrected", task.task, arm))
    return {**estimate.as_figure(), "n": len(judged.labels), "labels": len(judged.labelled)}


def _comparisons(task: LabelledTask, reference: str, seed: int) -> Iterator[CorrectedComparison]:
    for other in (arm for arm in task.values if arm != reference and reference in task.values):
        questions = [name for name in task.values[reference] if name in task.values[other]]
        a, b = task.judged(reference, questions), task.judged(other, questions)
        both = len({*a.labelled} & {*b.labelled})
        if both >= FEWEST_LABELS:
            random = statistics.generator(seed, "corrected", task.task, reference, other)
            found = statistics.corrected_difference(a, b, random)
            yield {
                "a": reference,
                "b": other,
                "metric": task.task,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "n": len(questions),
                "labels": both,
            }


def agreement(task: LabelledTask, seed: int) -> Agreement:
    """Returns the judge's agreement with the labels of a task, over all arms. Missing judgements are left out."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    arms: dict[str, JudgeErrors] = {}
    for arm, labels in task.labels.items():
        of_arm = [
            (name, value, label) for name, label in labels.items() if (value := task.values[arm][name]) is not None
        ]
        for question, value, label in of_arm:
            pairs.setdefault(question, []).append((value, label))
        higher, lower = (sum(sign * value > sign * label for _, value, label in of_arm) for sign in (1, -1))
        arms[arm] = {"labels": len(of_arm), "higher": higher, "lower": lower}
    kappa = statistics.kappa(list(pairs.values()), statistics.generator(seed, "kappa", task.task))
    value, low, high = (kappa.value, kappa.low, kappa.high) if kappa else (None, None, None)
    return {"kappa": value, "low": low, "high": high, "n": sum(map(len, pairs.values())), "arms": arms}
