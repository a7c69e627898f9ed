"""The verdict of a study: its primary contrast in its primary metric."""

from collections.abc import Mapping, Sequence

from raft_exp.evaluation.results import Comparison, PairedDifference, Results, Summary
from raft_exp.reporting import form
from raft_exp.reporting.form import LEVEL
from raft_exp.reporting.formats import p_text, percent, points, title

INVENTED = "invented quotes"  # the heading of the column beside the primary metric
FEWEST = 30  # test questions; with fewer the verdict claims nothing

ArmSettings = Mapping[str, Mapping[str, object]]  # arm -> {recipe, adapter, ...}


def distinguishable(comparison: PairedDifference) -> bool:
    """Whether a difference is significant at the 5% level.

    Holm's correction applies to all comparisons except the primary contrast.
    """
    return comparison["p_value_holm"] < LEVEL


def significant(comparisons: Sequence[Comparison]) -> set[tuple[str, str]]:
    """Returns the pairs (arm, metric) in which the arm differs significantly from the reference arm."""
    return {(row["b"], row["metric"]) for row in comparisons if distinguishable(row)}


def verdict(results: Results, arms: ArmSettings, random_weights: bool = False) -> str:
    """Returns a sentence with the outcome of the primary contrast, then sentences that qualify this outcome.

    `random_weights`: whether the model of the arms is untrained. If so, the verdict calls no arm better.
    """
    primary = results["primary"]
    row = form.contrast(results, primary["metric"])
    if row is None:
        value = percent(_value(results["arms"], primary["arm"], primary["metric"]))
        return f"Only {primary['arm']} was run: {title(primary['metric'])} {value}%. There is no other arm to compare."
    training = _training(arms, row, results["seed"])
    claim = _claim(results, row, random_weights) + (f" for {training}" if training else "")
    first = f"{claim}: {difference_text(results, row)}, on {_questions(results['arms'][row['a']]['n'])}."
    if random_weights or results["arms"][row["a"]]["n"] < FEWEST:
        return first
    return " ".join([first, *_in_any_form(results), *_higher(results, row), *_other_seeds(arms, row)])


def _claim(results: Results, row: Comparison, random_weights: bool) -> str:
    a, b, metric = row["a"], row["b"], title(row["metric"])
    n, read = results["arms"][a]["n"], form.readings(results)
    if random_weights:
        return f"A model with random weights cannot show whether {a} and {b} differ in {metric}"
    if n < FEWEST:
        return f"{_questions(n)} cannot show whether {a} and {b} differ in {metric}"
    if read and read.one_of_form:
        return f"The difference between {a} and {b} in {metric} is due to the form of replies"
    return f"{a} is {comparative(row)} {b} in {metric}"


def comparative(row: Comparison) -> str:
    """Returns `better than`, `worse than` or `not distinguishable from` for the primary contrast."""
    return {1: "better than", -1: "worse than", 0: "not distinguishable from"}[form.sign(row)]


def _questions(n: int) -> str:
    return f"{n:,} test question{'' if n == 1 else 's'}"


def difference_text(results: Results, row: Comparison) -> str:
    """Returns both figures of a contrast, the difference with its interval, and the uncorrected p-value."""
    left, right = (_value(results["arms"], arm, row["metric"]) for arm in (row["a"], row["b"]))
    return (
        f"{percent(left)}% against {percent(right)}%, a difference of {points(row['difference'])} points "
        f"(95% interval {points(row['low'])} to {points(row['high'])}), {p_text(row['p_value'])}"
    )


def _in_any_form(results: Results) -> list[str]:
    """Returns a sentence with the outcome in the lenient metric, if it differs from the strict one."""
    read = form.readings(results)
    if read is None or not (read.one_of_form or (read.disagree and read.primary == read.strict)):
        return []
    row = read.lenient
    return [
        f"By {title(row['metric'])}, which accepts any form of reply, {row['a']} is {comparative(row)} "
        f"{row['b']}: {difference_text(results, row)}."
    ]


def _higher(results: Results, primary: Comparison) -> list[str]:
    """Returns a sentence about the arms with higher figures than the primary arm, without the arm of the contrast."""
    rows = [row for row in results["comparisons"] if row["metric"] == primary["metric"] and row["b"] != primary["b"]]
    above = [
        f"{row['b']} {percent(_value(results['arms'], row['b'], row['metric']))}% ({p_text(row['p_value_holm'])})"
        for row in sorted(rows, key=lambda row: row["difference"])
        if row["difference"] < 0
    ]
    corrected = f" after Holm's correction for {len(rows)} comparisons" if len(rows) > 1 else ""
    return [f"Higher than {primary['a']}: {', '.join(above)}{corrected}."] if above else []


def _training(arms: ArmSettings, row: Comparison, seed: int) -> str:
    """Names the training or the adapter that the contrast depends on; "" if neither arm is trained."""
    if _trained_here(arms, row):
        return f"this training run (seed {seed})"
    return "this trained adapter" if any(arms.get(name, {}).get("adapter") for name in (row["a"], row["b"])) else ""


def _trained_here(arms: ArmSettings, row: Comparison) -> bool:
    return any(arms.get(name, {}).get("recipe", "none") != "none" for name in (row["a"], row["b"]))


def _other_seeds(arms: ArmSettings, row: Comparison) -> list[str]:
    again = "Results vary between seeds: run with -m seed=1,2,3, then python -m raft_exp.report SWEEP_FOLDER."
    return [again] if _trained_here(arms, row) else []


def scope(results: Results, arms: ArmSettings) -> str:
    """Returns sentences that name the number of test questions, and the trained arms with their seed."""
    n = max(arm["n"] for arm in results["arms"].values())
    trained = [name for name in results["arms"] if arms.get(name, {}).get("recipe", "none") != "none"]
    once = f" One training (seed {results['seed']}) of {', '.join(trained)}." if trained else ""
    return f"Measured on {_questions(n)}.{once}"


def has_invented_quotes(results: Results) -> bool:
    """Whether any arm has a share of invented quotes."""
    return any("invented_quotes" in arm for arm in results["arms"].values())


def invented_quotes(results: Results) -> str:
    """Returns a sentence with the share of the reference arm's quotes that stand in no passage of the prompt.

    Returns "" if the reference arm quotes nothing.
    """
    arm = results["reference"]
    figure = results["arms"][arm].get("behaviour", {}).get("quotes_verbatim")
    if figure is None:
        return ""
    return (
        f"Of {arm}'s {figure['n']:,} quotes {percent(1 - figure['value'])}% are invented: no passage of the prompt "
        "contains them."
    )


def ranked(ties: int) -> str:
    """Returns a phrase for the best other arm. `ties`: the number of other arms that share the best figure."""
    return "the best other arm" if ties == 1 else f"one of {ties} best other arms"


def _value(arms: Mapping[str, Summary], arm: str, metric: str) -> float:
    return arms[arm]["metrics"][metric]["value"]
