"""The verdict of a comparison in one sentence: the best setting, and the settings not distinguishable from it."""

from collections.abc import Iterable

from raft_exp.reporting.comparison_results import ComparisonResults, EqualReplies, SettingComparison
from raft_exp.reporting.verdict import distinguishable, p_text, percent, points, ranked, title


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
    value, low, high = (percent(best_figure[key]) for key in ("value", "low", "high"))
    sentence = f"{arm} has its best {title(metric)} with {best}: {value}% ({low}\N{EN DASH}{high})"
    sentence += f"; the same replies with {same}" if same else ""
    return f"{sentence}; {rest} (p < 0.05 after Holm's correction)." if rows else f"{sentence}."


def _others(best: str, pairs: Iterable[SettingComparison | EqualReplies]) -> str:
    """The other setting of each pair."""
    return "; ".join(pair["b"] if pair["a"] == best else pair["a"] for pair in pairs)


def _between_arms(results: ComparisonResults) -> str:
    """Of a single setting: the reference arm against the best other, over the seeds."""
    metric, arm = results["metrics"][0], results["reference"]
    values = {name: one["metrics"][metric]["value"] for name, one in results["settings"][0]["arms"].items()}
    rows = [row for row in results["comparisons"] if row["metric"] == metric]
    if not rows:
        return f"{arm} alone was run: {title(metric)} {percent(values[arm])}%, nothing to compare it with."
    best = max(rows, key=lambda row: values[row["arm_b"]])
    ties = sum(values[row["arm_b"]] == values[best["arm_b"]] for row in rows)
    claim = ("better" if best["difference"] > 0 else "worse") + " than"
    if not distinguishable(best):
        claim = "not distinguishable from"
    return (
        f"{arm} is {claim} {best['arm_b']}, {ranked(ties)}, "
        f"in {title(metric)}: {percent(values[arm])}% against {percent(values[best['arm_b']])}%, a difference of "
        f"{points(best['difference'])} points (95% interval {points(best['low'])} to {points(best['high'])}), "
        f"{p_text(best['p_value_holm'])} after Holm's correction, on {best['n']:,} questions"
        f"{' of ' + str(len(best['seeds'])) + ' seeds' if len(best['seeds']) > 1 else ''}."
    )
