"""Pools the runs of a sweep: `python experiments/pool.py OUT [--over FIELD] RUN [RUN ...]`.

Runs of several seeds ask questions about several worlds, so their questions are pooled: every arm gets the mean over
all of them, with a Wilson interval, beside each seed's own figure. `--over dataset.p` gives one such figure for each
value of a setting. Writes OUT/results.json and OUT/figure.svg.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from raft_exp.metrics import Metric
from raft_exp.statistics import estimate, generator

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
        for value, arms in seen.items()
    }


def figure(seeds: dict[int, list[float]]) -> dict[str, Any]:
    """The share of right answers over all seeds' questions, with its Wilson interval, and each seed's own."""
    pooled = [value for values in seeds.values() for value in values]
    found = estimate(SHARE, pooled, generator(0, "pool"))
    own = {str(seed): sum(values) / len(values) for seed, values in sorted(seeds.items())}
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(pooled), "seeds": own}


def draw(pooled: dict[str, Any], over: str | None, path: Path) -> None:
    """Curves over the setting (or the conditions), or one bar an arm: exact match with its interval."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(7, 4), layout="constrained")
    axes = made.add_subplot()
    arms = [arm for arm in next(iter(pooled.values())) if "@" not in arm]
    if over:
        for arm in arms:
            points = [pooled[value][arm]["exact_match"] for value in pooled]
            errors = [[p["value"] - p["low"] for p in points], [p["high"] - p["value"] for p in points]]
            axes.errorbar(list(pooled), [p["value"] for p in points], errors, marker="o", capsize=3, label=arm)
        axes.set_xlabel(over)
        axes.legend(frameon=False)
    else:
        for place, arm in enumerate(arms):
            found: dict[str, Any] = pooled["all"][arm]["exact_match"]
            bounds = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
            colour = "tab:blue" if arm == "raft" else "black"
            axes.errorbar([place], [found["value"]], bounds, marker="o", capsize=4, color=colour)
            axes.plot([place] * len(found["seeds"]), list(found["seeds"].values()), ".", color="grey", alpha=0.7)
        axes.set_xticks(range(len(arms)), arms)
    axes.set_ylabel("exact match")
    axes.set_ylim(0, 1)
    axes.grid(axis="y", alpha=0.3)
    made.savefig(path)


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
    draw(pooled, arguments.over, arguments.out / "figure.svg")
    for value, arms in pooled.items():
        for arm, metrics in arms.items():
            cells = [
                f"{name} {100 * found['value']:5.1f} ({100 * found['low']:.1f}-{100 * found['high']:.1f})"
                for name, found in metrics.items()
            ]
            print(f"{value:<8} {arm:<18} n={metrics['exact_match']['n']:<5} {'  '.join(cells)}")


if __name__ == "__main__":
    main()
