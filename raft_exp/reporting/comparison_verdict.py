"""The one sentence of a comparison: which setting leads, and by how much that can be believed."""

from collections.abc import Mapping
from typing import Any

from raft_exp.reporting.verdict import distinguishable, p_text, percent, points, ranked, title


def verdict(told: Mapping[str, Any]) -> str:
    """The best setting of the reference arm, and which are not distinguishable from it."""
    metric, arm = told["metrics"][0], told["reference"]
    having = [one for one in told["settings"] if metric in one["arms"].get(arm, {}).get("metrics", {})]
    if len(having) < 2:
        return _between_arms(told)
    best = max(having, key=lambda one: one["arms"][arm]["metrics"][metric]["value"])
    figure = best["arms"][arm]["metrics"][metric]
    rows = [
        row
        for row in told["comparisons"]
        if row["metric"] == metric and row["arm_a"] == row["arm_b"] == arm and best["name"] in (row["a"], row["b"])
    ]
    alike = [({row["a"], row["b"]} - {best["name"]}).pop() for row in rows if not distinguishable(row)]
    rest = f"not distinguishable from it: {'; '.join(alike)}" if alike else "all that were compared with it are lower"
    same = [
        ({one["a"], one["b"]} - {best["name"]}).pop()
        for one in told["same"]
        if one["arm"] == arm and best["name"] in (one["a"], one["b"])
    ]
    low, high = percent(figure["low"]), percent(figure["high"])
    said = (
        f"{arm} has its best {title(metric)} with {best['name']}: {percent(figure['value'])}% ({low}\N{EN DASH}{high})"
    )
    said += f"; the same replies with {'; '.join(same)}" if same else ""
    return f"{said}; {rest} (p < 0.05 after Holm's correction)." if rows else f"{said}."


def _between_arms(told: Mapping[str, Any]) -> str:
    """Of a single setting: the reference arm against the best other, over the seeds."""
    metric, arm = told["metrics"][0], told["reference"]
    arms = {name: one["metrics"][metric]["value"] for name, one in told["settings"][0]["arms"].items()}
    rows = [row for row in told["comparisons"] if row["metric"] == metric]
    if not rows:
        return f"{arm} alone was run: {title(metric)} {percent(arms[arm])}%, nothing to compare it with."
    best = max(rows, key=lambda row: arms[row["arm_b"]])
    alike = sum(arms[row["arm_b"]] == arms[best["arm_b"]] for row in rows)
    claim = ("better" if best["difference"] > 0 else "worse") + " than"
    if not distinguishable(best):
        claim = "not distinguishable from"
    return (
        f"{arm} is {claim} {best['arm_b']}, {ranked(alike)}, "
        f"in {title(metric)}: {percent(arms[arm])}% against {percent(arms[best['arm_b']])}%, a difference of "
        f"{points(best['difference'])} points (95% interval {points(best['low'])} to {points(best['high'])}), "
        f"{p_text(best['p_value_holm'])} after Holm's correction, on {best['n']:,} questions"
        f"{' of ' + str(len(best['seeds'])) + ' seeds' if len(best['seeds']) > 1 else ''}."
    )
