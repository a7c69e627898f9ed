"""Warnings that a reader must know before the verdict: one line each, with figures and a remedy.

To add a warning, write a function that takes a `Study` and yields lines of text, and add the function to WARNINGS.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from raft_exp.core.audit import DatasetAudit, StudyAudit
from raft_exp.evaluation import long_references
from raft_exp.evaluation.results import Results
from raft_exp.reporting import form, judge_tables, selection
from raft_exp.reporting.dataset_warnings import dataset_warnings
from raft_exp.reporting.facts import section
from raft_exp.reporting.formats import model_name, p_text, percent, points, title
from raft_exp.reporting.verdict import FEWEST, ArmSettings
from raft_exp.reporting.wording import wording_warnings

_PARSED = 0.9  # share of replies in the requested form; a warning below it
_TRUNCATED = 0.05  # share of replies that were cut off; a warning above it
_EMPTY = 0.01  # share of empty replies; a warning above it
_STEPS = 20  # optimiser steps; a warning below it


@dataclass(frozen=True)
class Study:
    """The results, the audit and the settings of a study, from which warnings are made."""

    results: Results
    audit: StudyAudit
    arms: ArmSettings
    settings: Mapping[str, object]  # the study's groups: model, evaluation ...
    steps: Mapping[str, int]  # training -> optimiser steps
    random_weights: bool = False  # the model of the arms is untrained
    without_gold: Mapping[str, str] = field(default_factory=dict)  # condition -> the test with gold; "" for none
    reference_words: float = 0  # median number of words of the reference answers

    def shares(self, name: str) -> dict[str, float]:
        """Returns {arm: share of its replies that have the property `name`}: parsed, truncated or empty.

        Unanswered questions do not count.
        """
        return {
            arm: min(1.0, figure["value"] * of_arm["n"] / of_arm["answered"])
            for arm, of_arm in self.results["arms"].items()
            if of_arm["answered"] and (figure := of_arm["metrics"].get(name))
        }


def warnings(study: Study) -> list[str]:
    """Returns the lines of all warnings, in the order of WARNINGS."""
    return [line for warning in WARNINGS for line in warning(study)]


def random_weights(study: Study) -> Iterator[str]:
    """Warns of an untrained model, whose figures are noise."""
    if study.random_weights:
        small = "pocket" if study.results["corpus"] == "almanac" else "smollm2_135m"  # pocket is for the almanac only
        yield (
            f"The model {model_name(study.results['model'])} has random weights: the figures show that the study "
            "runs, but they do not compare the arms. Use a trained model, such as "
            f"model={small} or model=qwen2_5_0_5b."
        )


def few_questions(study: Study) -> Iterator[str]:
    """Warns of too few test questions for a conclusion."""
    n = min(arm["n"] for arm in study.results["arms"].values())
    if n < FEWEST:
        yield f"{_questions(n)} too few to conclude from (fewer than {FEWEST}): {_more_questions(study, n)}."


def _more_questions(study: Study, n: int) -> str:
    most = section(study.settings, "evaluation").get("max_items")
    if isinstance(most, int) and n >= most:
        return f"raise evaluation.max_items (now {most}) if the corpus has more questions"
    drawn = section(study.settings, "corpus").get("name") in ("documents", "passages")
    return "add questions" + (", or raise the share of test questions (corpus.test)" if drawn else "")


def _questions(n: int) -> str:
    return "1 test question is" if n == 1 else f"{n} test questions are"


def few_steps(study: Study) -> Iterator[str]:
    """Warns of trainings that ended after a few steps."""
    short = {name: steps for name, steps in study.steps.items() if 0 < steps < _STEPS}
    if short:
        yield (
            f"Trained for few steps: {_listed(short)} (fewer than {_STEPS}): raise trainer.max_steps or "
            "trainer.max_epochs, or train on more rows (dataset.max_items)."
        )


def long_answers(study: Study) -> Iterator[str]:
    """Warns if the primary metric compares whole answers, and the reference answers are long."""
    metric, words = study.results["metrics"][0], study.reference_words
    if line := long_references.remark(metric, words, judged="judge" in study.results):
        yield line


def form_of_replies(study: Study) -> Iterator[str]:
    """Warns if the strict and the lenient metric disagree on the primary contrast."""
    read = form.readings(study.results)
    if read is None or not read.disagree:
        return
    a, b = read.strict["a"], read.strict["b"]
    strict, lenient = (
        f"{title(row['metric'])} {points(row['difference'])} points ({p_text(row['p_value'])})"
        for row in (read.strict, read.lenient)
    )
    yield (
        f"{a} minus {b} depends on the metric: {strict}, but {lenient}. The second metric accepts an answer in any "
        f"form. For a verdict by this metric, set evaluation.primary.metric={read.lenient['metric']}; no reply is "
        "generated again."
    )


def replies_in_another_form(study: Study) -> Iterator[str]:
    """Warns of arms whose replies often lack the requested form; strict metrics count such replies as wrong."""
    low = {arm: share for arm, share in study.shares("parsed").items() if share < _PARSED}
    if low:
        yield (
            f"Fewer than {percent(_PARSED)}% of the replies have the requested form (parsed): {_shares(low)}. "
            f"{_of_any_form(study)}, and read predictions/ARM.jsonl."
        )


def _of_any_form(study: Study) -> str:
    """Returns how to compare replies of any form: by a lenient metric, or by a judge where references are long."""
    if long_references.are_long(study.reference_words):
        judge = "the judge's figures" if "judge" in study.results else "a judge (evaluation.judge=openai)"
        return f"F1 and ROUGE-L count all other replies as wrong too: compare these arms by {judge}"
    lenient = [name for name in study.results["metrics"] if name.endswith("_lenient")]
    setting = f" (evaluation.primary.metric={lenient[0]})" if lenient else ""
    return f"Strict metrics count all other replies as wrong: compare these arms by a lenient metric{setting}"


def truncated_replies(study: Study) -> Iterator[str]:
    """Warns of arms whose replies often reach the limit of new tokens."""
    cut = {arm: share for arm, share in study.shares("truncated").items() if share > _TRUNCATED}
    if cut:
        limit = section(study.settings, "model").get("max_new_tokens")
        value = f"={limit}" if limit else ""
        longest = max((_longest_target(dataset) for dataset in study.audit["datasets"].values()), default=0)
        longer = isinstance(limit, int) and longest > limit
        target = f" (the longest training target has {longest:,} tokens)" if longer else ""
        yield (
            f"Replies that were cut off at model.max_new_tokens{value}: {_shares(cut)}. Raise model.max_new_tokens"
            f"{target}."
        )


def _longest_target(dataset: DatasetAudit) -> int:
    """Returns the tokens of the longest target of a training set; 0 if the audit has no such count."""
    counted = (
        split["completion_tokens"]["max"]
        for split in dataset.get("splits", {}).values()
        if "completion_tokens" in split
    )
    return max(counted, default=0)


def empty_replies(study: Study) -> Iterator[str]:
    """Warns of arms with many empty replies."""
    empty = {arm: share for arm, share in study.shares("empty").items() if share > _EMPTY}
    if empty:
        yield (
            f"Empty replies: {_shares(empty)}. They count as wrong: read their rows in predictions/ARM.jsonl, and try "
            "another prompt.task, or a model that is tuned to follow instructions."
        )


def unanswered_questions(study: Study) -> Iterator[str]:
    """Warns of arms with questions that have no reply."""
    short = {
        name: f"{arm['answered']:,} of {arm['n']:,}"
        for name, arm in study.results["arms"].items()
        if arm["answered"] < arm["n"]
    }
    if short:
        yield (
            f"Some questions have no reply and count as wrong; answered: {_listed(short)}. Remove the arm's folder of "
            "the stage evaluate (plan.json has its path) and run the study again."
        )


def data_sets(study: Study) -> Iterator[str]:
    """Warns of problems in the datasets, such as cut prompts and leaks (`raft_exp.reporting.dataset_warnings`)."""
    yield from dataset_warnings(study.audit, study.settings)


def unpaired_conditions(study: Study) -> Iterator[str]:
    """Warns of conditions without gold whose refusals are not scored: no test has the same contexts with gold."""
    if unpaired := [name for name, with_gold in study.without_gold.items() if not with_gold]:
        yield (
            f"Refusals under {', '.join(unpaired)} are not scored, because no test has the same contexts with gold. "
            "Add a condition that differs only in without_gold=false, or give the study's own test the other settings "
            "of the condition."
        )


def chosen_at_an_edge(study: Study) -> Iterator[str]:
    """Warns of each setting whose chosen value is the lowest or highest in its search grid."""
    yield from selection.edges(study.results)


def fewer_examples(study: Study) -> Iterator[str]:
    """Warns of prompts without room for all the worked examples that an arm should show."""
    for name, arm in study.results["arms"].items():
        wanted, shown = study.arms[name].get("examples"), arm.get("examples")
        if shown and isinstance(wanted, int) and shown["fewest"] < wanted:
            yield (
                f"The prompts of {name} should show {wanted} worked examples, but had room for {shown['fewest']} to "
                f"{shown['most']}, {shown['mean']:.1f} on average. Raise model.max_length to show them all."
            )


def no_better_than_chance(study: Study) -> Iterator[str]:
    """Warns if no arm is clearly above a trivial score.

    This score is that of the best baseline without a model. For open answers, it is the figure of the untrained arm
    without passages, or zero if the study has no such arm.
    """
    metric = study.results["metrics"][0]
    figures = {name: arm["metrics"][metric] for name, arm in study.results["arms"].items() if metric in arm["metrics"]}
    floor = _floor(study, metric)
    above = [name for name, figure in figures.items() if figure["low"] > floor[1]]
    if not above and (floor[0] not in figures or len(figures) > 1):
        best = max(figures, key=lambda name: figures[name]["value"])
        remedy = "Try a stronger model, more training rows, or more test questions"
        if long_references.remark(metric, study.reference_words, judged=False):
            remedy = "Choose a metric that suits the answers first"
        yield (
            f"No arm is clearly above {floor[0]} in {title(metric)} ({percent(floor[1])}%): the highest is {best} with "
            f"{percent(figures[best]['value'])}%. {remedy}."
        )


def _floor(study: Study, metric: str) -> tuple[str, float]:
    """Returns name and value of the score that a useful arm exceeds.

    Closed answers: the better one of the baselines. Open answers: the untrained arm without passages, else zero.
    """
    baselines = study.results.get("baselines", {})
    values = {
        f"the baseline {name}": arm["metrics"][metric]["value"]
        for name, arm in baselines.items()
        if metric in arm["metrics"]
    }
    if not values:
        values = {
            name: study.results["arms"][name]["metrics"][metric]["value"]
            for name, arm in study.arms.items()
            if arm.get("recipe") == "none" and arm.get("context") == "none" and not arm.get("adapter")
            if metric in study.results["arms"][name]["metrics"]
        }
    return max(values.items(), key=lambda named: named[1], default=("zero", 0.0))


def _shares(values: Mapping[str, float]) -> str:
    return _listed({name: f"{percent(value)}%" for name, value in values.items()})


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def wording(study: Study) -> Iterator[str]:
    """Warns of texts that metrics of wording cannot compare."""
    yield from wording_warnings(study.results)


def missing_judgements(study: Study) -> Iterator[str]:
    """Warns of a judge that often gave no usable judgement."""
    if lacking := list(judge_tables.missing(study.results)):
        yield (
            f"The judge gave no usable judgement of many replies, which its figures leave out ({'; '.join(lacking)}). "
            "Read the reasons (`missing` in predictions/ARM.jsonl), and use another judge, or raise max_new_tokens of "
            "its task (evaluation.judge.tasks.TASK.max_new_tokens)."
        )


WARNINGS: tuple[Callable[[Study], Iterator[str]], ...] = (
    random_weights,
    few_questions,
    few_steps,
    long_answers,
    form_of_replies,
    no_better_than_chance,
    data_sets,
    unpaired_conditions,
    chosen_at_an_edge,
    fewer_examples,
    truncated_replies,
    replies_in_another_form,
    empty_replies,
    unanswered_questions,
    missing_judgements,
    wording,
)
