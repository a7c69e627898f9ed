"""Pools the runs of a sweep: `python experiments/pool.py OUT [--over FIELD] RUN [RUN ...]`.

Runs of several seeds ask questions about several worlds, so their questions are pooled: every arm gets the mean over
all of them, with a Wilson interval, beside each seed's own figure. `--over dataset.p` gives one such figure for each
value of a setting; where the runs ask under several numbers of test distractors too, it is a curve over those for each
value. Writes OUT/results.json and OUT/figure.svg.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from raft_exp.evaluation.metrics import Metric
from raft_exp.evaluation.statistics import estimate, generator

METRICS = ("exact_match", "answer_in_reply")
SHARE = Metric(lambda row: 0.0, share=True)


def setting(run: Path, field: str) -> Any:
    """A setting of a finished run, by its dotted name."""
    value = yaml.safe_load((run / "config.yaml").read_text())
    for part in field.split("."):
        value = value[part]
    return value


def replies(run: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(arm or arm@condition, prediction) of a run."""
    for file in sorted((run / "predictions").glob("*.jsonl")):
        for line in file.open(encoding="utf-8"):
            yield file.stem, json.loads(line)


def pool(runs: list[Path], over: str | None) -> dict[str, Any]:
    """{value of the setting: {arm: {metric: {value, low, high, n, seeds}}}}."""
    seen: dict[Any, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(list))))
    for run in runs:
        value, seed = (str(setting(run, over)) if over else "all"), setting(run, "seed")
        for arm, row in replies(run):
            for metric in METRICS:
                seen[value][arm][metric][seed].append(row["metrics"][metric])
    return {
        value: {arm: {metric: figure(seeds) for metric, seeds in metrics.items()} for arm, metrics in arms.items()}
        for value, arms in sorted(seen.items(), key=lambda found: _number(found[0]))
    }


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0  # settings that are no numbers keep the order of the runs


def figure(seeds: dict[int, list[float]]) -> dict[str, Any]:
    """The share of right answers over all seeds' questions, with its Wilson interval, and each seed's own."""
    pooled = [value for values in seeds.values() for value in values]
    found = estimate(SHARE, pooled, generator(0, "pool"))
    own = {str(seed): sum(values) / len(values) for seed, values in sorted(seeds.items())}
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(pooled), "seeds": own}


def draw(pooled: dict[str, Any], over: str | None, shown: dict[str, int], path: Path) -> None:
    """Exact match with its interval: curves over the setting or over the test distractors, or one bar an arm."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(7, 4), layout="constrained")
    axes = made.add_subplot()
    if over and shown:
        _test_curves(axes, pooled, over, shown)
    elif over:
        _curves(axes, pooled, over)
    else:
        _bars(axes, pooled["all"])
    axes.set_ylabel("exact match")
    axes.set_ylim(0, 1)
    axes.grid(axis="y", alpha=0.3)
    made.savefig(path)


def _test_curves(axes: Any, pooled: dict[str, Any], over: str, shown: dict[str, int]) -> None:
    """One line a trained value, over the distractors at test; `rag`, which is trained on none of them, beside them."""
    places = sorted(shown, key=lambda suffix: shown[suffix])
    x = [shown[suffix] for suffix in places]
    for value, arms in pooled.items():
        _line(axes, x, [arms[f"raft{suffix}"]["exact_match"] for suffix in places], f"raft, {over}={value}")
    first = next(iter(pooled.values()))
    _line(axes, x, [first[f"rag{suffix}"]["exact_match"] for suffix in places], "rag", color="black", linestyle="--")
    axes.set_xlabel("distractors at test")
    axes.legend(frameon=False)


def _curves(axes: Any, pooled: dict[str, Any], over: str) -> None:
    for arm in [arm for arm in next(iter(pooled.values())) if "@" not in arm]:
        _line(axes, list(pooled), [pooled[value][arm]["exact_match"] for value in pooled], arm)
    axes.set_xlabel(over)
    axes.legend(frameon=False)


def _line(axes: Any, x: list[Any], points: list[dict[str, Any]], label: str, **style: Any) -> None:
    errors = [[p["value"] - p["low"] for p in points], [p["high"] - p["value"] for p in points]]
    axes.errorbar(x, [p["value"] for p in points], errors, marker="o", capsize=3, label=label, **style)


def _bars(axes: Any, arms: dict[str, Any]) -> None:
    names = [arm for arm in arms if "@" not in arm]
    for place, arm in enumerate(names):
        found = arms[arm]["exact_match"]
        bounds = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
        colour = "tab:blue" if arm == "raft" else "black"
        axes.errorbar([place], [found["value"]], bounds, marker="o", capsize=4, color=colour)
        axes.plot([place] * len(found["seeds"]), list(found["seeds"].values()), ".", color="grey", alpha=0.7)
    axes.set_xticks(range(len(names)), names)


def test_distractors(run: Path) -> dict[str, int]:
    """{"": of the study itself, "@name": of the condition}; {} where the run asks under one number only."""
    asked = setting(run, "evaluation")
    found = {f"@{name}": change["num_distractors"] for name, change in asked["conditions"].items()}
    return {"": asked["num_distractors"], **found} if found else {}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--over", help="the setting that the runs differ in, e.g. dataset.p")
    arguments = parser.parse_args()
    pooled = pool(arguments.runs, arguments.over)
    arguments.out.mkdir(parents=True, exist_ok=True)
    told = {"over": arguments.over, "runs": len(arguments.runs), "figures": pooled}
    (arguments.out / "results.json").write_text(json.dumps(told, indent=1) + "\n")
    draw(pooled, arguments.over, test_distractors(arguments.runs[0]), arguments.out / "figure.svg")
    for value, arms in pooled.items():
        for arm, metrics in arms.items():
            cells = [
                f"{name} {100 * found['value']:5.1f} ({100 * found['low']:.1f}-{100 * found['high']:.1f})"
                for name, found in metrics.items()
            ]
            print(f"{value:<8} {arm:<18} n={metrics['exact_match']['n']:<5} {'  '.join(cells)}")


if __name__ == "__main__":
    main()
