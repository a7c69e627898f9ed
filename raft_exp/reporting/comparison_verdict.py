"""The verdict of a comparison: the best of several settings, or the difference between the arms of a single setting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from raft_exp.evaluation.results import Figure
from raft_exp.reporting.comparison_results import ComparisonResults, EqualReplies, SettingComparison
from raft_exp.reporting.formats import p_text, percent, points, title
from raft_exp.reporting.verdict import distinguishable, ranked

_MOST = 8  # settings that a sentence names


def verdict(results: ComparisonResults) -> str:
    """Returns the verdict in a few sentences.

    For several settings with the same test questions, the verdict names the setting in which the reference arm has the
    highest figure in the main metric. If the test questions differ, the verdict does so for each group of settings with
    the same questions. If only one setting has such a figure, the verdict compares two arms.
    """
    metric, arm = results["metrics"][0], results["reference"]
    figures = {
        setting["name"]: figure
        for setting in results["settings"]
        if arm in setting["arms"] and (figure := setting["arms"][arm]["metrics"].get(metric))
    }
    if len(figures) < 2:
        return _between_arms(results)
    asked = [[name for name in names if name in figures] for names in results["same_questions"]]
    several = [names for names in asked if len(names) > 1]
    if len(several) == 1 and len(several[0]) == len(figures):
        sentences = [_highest(results, figures)]
    else:
        sentences = [
            "These settings were tested on different questions, so their figures are not ranked.",
            *(_highest(results, {name: figures[name] for name in names}, names) for names in several),
        ]
    return " ".join([*sentences, *_one_training(results, arm)])


def _highest(results: ComparisonResults, figures: Mapping[str, Figure], among: Sequence[str] = ()) -> str:
    """Returns sentences about the setting with the highest figure, and the tests of this setting against the others.

    `among`: the names of the compared settings, if these are not all settings.
    """
    metric, arm = results["metrics"][0], results["reference"]
    best = max(figures, key=lambda name: figures[name]["value"])
    figure = figures[best]
    value, low, high = (percent(share) for share in (figure["value"], figure["low"], figure["high"]))
    scope = f"Of {_listed(among)}, tested on the same questions, {arm}'s" if among else f"{arm}'s"
    first = f"{scope} {title(metric)} is highest with {best}: {value}% (95% interval {low} to {high}){_over(figure)}."
    rows = [
        row
        for row in results["comparisons"]
        if row["metric"] == metric and row["arm_a"] == row["arm_b"] == arm and best in (row["a"], row["b"])
    ]
    ahead = [row for row in rows if distinguishable(row) and (row["difference"] > 0) == (row["a"] == best)]
    lower = _others(best, ahead, figures)
    # `best` may be lower than another setting in the paired comparison, which uses only common seeds
    ties = _others(best, (row for row in rows if row not in ahead), figures)
    same = _others(best, (row for row in results["same"] if row["arm"] == arm), figures)
    return " ".join([first, *_significance(lower, ties), *_not_tested(figures, {best, *lower, *ties}, same)])


def _significance(lower: Sequence[str], ties: Sequence[str]) -> Iterator[str]:
    found = [f"significantly higher than with {_listed(lower)}"] if lower else []
    found += [f"not significantly higher than with {_listed(ties)}"] if ties else []
    if found:
        yield f"It is {' and '.join(found)} (5% level, after Holm's correction)."


def _not_tested(figures: Mapping[str, Figure], tested: Set[str], same: Sequence[str]) -> Iterator[str]:
    if same:
        yield f"The replies are the same with {_listed(same)}."
    if others := [name for name in figures if name not in tested and name not in same]:
        yield f"It was not tested against {_listed(others)}."


def _listed(names: Sequence[str]) -> str:
    """Joins names by commas, or by semicolons if a name contains a comma. More than eight names become a number."""
    if len(names) > _MOST:
        return f"{len(names)} settings"
    mark = "; " if any("," in name for name in names) else ", "
    return " and ".join([*([mark.join(names[:-1])] if names[1:] else []), names[-1]])


def _over(figure: Figure) -> str:
    seeds = figure.get("seeds", 1)
    return f" over {seeds} seeds" if seeds > 1 else ""


def _one_training(results: ComparisonResults, arm: str) -> list[str]:
    """Returns a sentence about the settings with one seed; [] if there are none, or if the arm is not trained."""
    once = [setting["name"] for setting in results["settings"] if len(setting["runs"]) == 1]
    if not once or arm not in results["trained"]:
        return []
    which = "each setting" if len(once) == len(results["settings"]) else _listed(once)
    return [f"Only one training run (one seed) of {which}: results vary between seeds; run with -m seed=1,2,3."]


def _others(
    best: str, pairs: Iterable[SettingComparison | EqualReplies], figures: Mapping[str, Figure]
) -> Sequence[str]:
    """Returns the settings of `figures` that `pairs` compares with the best setting."""
    pairs = [pair for pair in pairs if best in (pair["a"], pair["b"])]
    others = [pair["b"] if pair["a"] == best else pair["a"] for pair in pairs]
    return [name for name in figures if name in others]


def _between_arms(results: ComparisonResults) -> str:
    """Returns the verdict of a single setting: its primary contrast, else the reference against the best other arm."""
    metric, arm = results["metrics"][0], results["reference"]
    entry = next(setting for setting in results["settings"] if arm in setting["arms"])
    values = {name: one["metrics"][metric]["value"] for name, one in entry["arms"].items() if metric in one["metrics"]}
    rows = [
        row
        for row in results["comparisons"]
        if (row["metric"], row["arm_a"], row["a"], row["b"]) == (metric, arm, entry["name"], entry["name"])
    ]
    if not rows:
        return f"Only {arm} was run: {title(metric)} {percent(values[arm])}%. There is no other arm to compare."
    against = results["primary"]["against"] if "primary" in results else None
    primary = next((row for row in rows if row["arm_b"] == against), None)
    if primary is None:
        best = max(rows, key=lambda row: values[row["arm_b"]])
        rank = ranked(sum(values[row["arm_b"]] == values[best["arm_b"]] for row in rows))
        p_value = f"{p_text(best['p_value_holm'])} after Holm's correction"
        return f"{_claim(results, values, best, f', {rank},')}, {p_value}{_on(best)}."
    above = [row for row in rows if row is not primary and row["difference"] < 0]
    named = ((row["arm_b"], percent(values[row["arm_b"]]), p_text(row["p_value_holm"])) for row in above)
    listed = ", ".join(f"{name} {value}% ({p_value})" for name, value, p_value in named)
    higher = f" Higher than {arm}: {listed} after Holm's correction." if above else ""
    return f"{_claim(results, values, primary, '')}, {p_text(primary['p_value'])}{_on(primary)}.{higher}"


def _claim(results: ComparisonResults, values: Mapping[str, float], row: SettingComparison, rank: str) -> str:
    a, b = row["arm_a"], row["arm_b"]
    word = ("better" if row["difference"] > 0 else "worse") + " than"
    once = len(row["seeds"]) == 1 and {a, b} & {*results["trained"]}
    training = f" for this training run (seed {row['seeds'][0]})" if once else ""
    return (
        f"{a} is {word if distinguishable(row) else 'not distinguishable from'} {b}{rank} in {title(row['metric'])}"
        f"{training}: {percent(values[a])}% against {percent(values[b])}%, a difference of "
        f"{points(row['difference'])} points (95% interval {points(row['low'])} to {points(row['high'])})"
    )


def _on(row: SettingComparison) -> str:
    seeds = f" of {len(row['seeds'])} seeds" if len(row["seeds"]) > 1 else ""
    return f", on {row['n']:,} questions{seeds}"
