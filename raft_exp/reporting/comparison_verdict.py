"""The verdict of a comparison in one or two sentences: of one setting its contrast, of several the best of them."""

from collections.abc import Iterable, Mapping

from raft_exp.evaluation.results import Figure
from raft_exp.reporting.comparison_results import ComparisonResults, EqualReplies, SettingComparison
from raft_exp.reporting.formats import p_text, percent, points, title
from raft_exp.reporting.verdict import distinguishable, ranked


def verdict(results: ComparisonResults) -> str:
    """The best setting of the reference arm, in the main metric; of a single setting, its arms against each other."""
    metric, arm = results["metrics"][0], results["reference"]
    figures = [
        (setting["name"], figure)
        for setting in results["settings"]
        if arm in setting["arms"] and (figure := setting["arms"][arm]["metrics"].get(metric))
    ]
    if len(figures) < 2:
        return _between_arms(results)
    best, best_figure = max(figures, key=lambda named: named[1]["value"])
    rows = [
        row
        for row in results["comparisons"]
        if row["metric"] == metric and row["arm_a"] == row["arm_b"] == arm and best in (row["a"], row["b"])
    ]
    ties = _others(best, (row for row in rows if not distinguishable(row)))
    rest = f"not distinguishable from it: {ties}" if ties else "all that were compared with it are lower"
    same = _others(best, (row for row in results["same"] if row["arm"] == arm and best in (row["a"], row["b"])))
    value, low, high = (percent(share) for share in (best_figure["value"], best_figure["low"], best_figure["high"]))
    sentence = f"{arm} has its best {title(metric)} with {best}: {value}% ({low}\N{EN DASH}{high})"
    sentence += _over(best_figure) + (f"; the same replies with {same}" if same else "")
    sentence += f"; {rest} (p < 0.05 after Holm's correction)." if rows else "."
    return f"{sentence}{_one_training(results, arm)}"


def _over(figure: Figure) -> str:
    seeds = figure.get("seeds", 1)
    return f" over {seeds} seeds" if seeds > 1 else ""


def _one_training(results: ComparisonResults, arm: str) -> str:
    """The sentence about settings with one seed; "" without such settings, and where no training is compared."""
    once = [setting["name"] for setting in results["settings"] if len(setting["runs"]) == 1]
    if not once or arm not in results["trained"]:
        return ""
    which = "each setting" if len(once) == len(results["settings"]) else "; ".join(once)
    return f" One training run (one seed) of {which}: another can come out differently; run -m seed=1,2,3."


def _others(best: str, pairs: Iterable[SettingComparison | EqualReplies]) -> str:
    """The other setting of each pair."""
    return "; ".join(pair["b"] if pair["a"] == best else pair["a"] for pair in pairs)


def _between_arms(results: ComparisonResults) -> str:
    """Of a single setting: its primary contrast; in runs without one the reference arm against the best other."""
    metric, arm = results["metrics"][0], results["reference"]
    entry = next(setting for setting in results["settings"] if arm in setting["arms"])
    values = {name: one["metrics"][metric]["value"] for name, one in entry["arms"].items() if metric in one["metrics"]}
    rows = [
        row
        for row in results["comparisons"]
        if (row["metric"], row["arm_a"], row["a"], row["b"]) == (metric, arm, entry["name"], entry["name"])
    ]
    if not rows:
        return f"{arm} alone was run: {title(metric)} {percent(values[arm])}%, nothing to compare it with."
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
