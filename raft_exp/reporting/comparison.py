"""The comparison of finished runs: comparison.html, comparison.md, comparison.json and the CSV files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from raft_exp.evaluation.results import Baseline, Summary
from raft_exp.evaluation.statistics import PERMUTATIONS, RESAMPLES
from raft_exp.reporting import csv_export, sweeps
from raft_exp.reporting.compare import compared
from raft_exp.reporting.comparison_results import ComparisonResults, SettingComparison
from raft_exp.reporting.comparison_tables import tables
from raft_exp.reporting.facts import facts, text
from raft_exp.reporting.formats import model_name, title
from raft_exp.reporting.pairing import ALL_PAIRS
from raft_exp.reporting.paths import without_folders
from raft_exp.reporting.plots.drawing import standalone
from raft_exp.reporting.render import write
from raft_exp.reporting.runs import Run
from raft_exp.reporting.settings import RunGroup, settings
from raft_exp.reporting.tables import without_model

PAGES = ("comparison.html", "comparison.md")
COMPARISONS = (
    "a",
    "arm_a",
    "b",
    "arm_b",
    "metric",
    "difference",
    "low",
    "high",
    "p_value",
    "p_value_holm",
    "n",
    "seeds",
    "method",
    "df",
    "condition",
    "slice",
    "group",
)


def write_comparison(out: Path, runs: Sequence[Run], left_out: Sequence[str]) -> ComparisonResults:
    """Writes the pages, comparison.json and the CSV files into `out`; returns the results.

    `left_out`: one line for each run that is not compared. Raises DataError as `settings` and `compared` do.
    """
    from markupsafe import Markup

    groups, equal_settings = settings(runs)
    equal = without_folders(equal_settings)
    results = compared(groups)
    of_all_runs = baselines(runs)
    plots = sweeps.plots(groups, results, of_all_runs)
    view = {
        "study": f"{len(runs)} runs compared" if len(runs) > 1 else "One run",
        "results": results,
        "lines": [*left_out, *results["apart"], *_warned(runs)],
        "corpus": _several("corpora", (run.results["corpus"] for run in runs)),
        "model": _several("models", (model_name(run.results["model"]) for run in runs)),
        "has_highest": len(groups) > 1 and len(results["same_questions"]) == 1,
        "metric": title(results["metrics"][0]),
        **tables(groups, results),
        "without_model": without_model(of_all_runs, results["metrics"][0]),
        "plots": [{**plot, "svg": Markup(plot["svg"])} for plot in plots],
        "equal": facts(equal),
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        "with_first_alone": len(groups) > ALL_PAIRS,
    }
    out.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        write(out / page, f"{page}.j2", view)
    (out / "comparison.json").write_text(json.dumps({**results, "equal": equal}, indent=2) + "\n", encoding="utf-8")
    csv_export.write_csv(out / "results.csv", columns(groups), rows(results))
    csv_export.write_csv(out / "comparisons.csv", COMPARISONS, comparison_rows(results))
    write_figures(out, plots)
    return results


def _several(what: str, names: Iterable[str]) -> str:
    """Lists the distinct names. More than three are replaced by their number and `what`, e.g. "5 models"."""
    different = list(dict.fromkeys(names))
    return ", ".join(different) if len(different) <= 3 else f"{len(different)} {what}"


def write_figures(out: Path, plots: Sequence[sweeps.NotedPlot]) -> list[str]:
    """Writes the plots as figure.svg, figure_2.svg and so on; returns the file names."""
    names = [f"figure_{number}.svg" if number > 1 else "figure.svg" for number in range(1, len(plots) + 1)]
    for name, plot in zip(names, plots, strict=True):
        (out / name).write_text(standalone(plot["svg"]) + "\n", encoding="utf-8")
    return names


def _warned(runs: Sequence[Run]) -> list[str]:
    """Returns one line that names the runs with warnings in their own reports; [] without such runs."""
    named = [run.name for run in runs if run.results.get("warnings")]
    return [f"The reports of {len(named)} of these runs have warnings: {', '.join(named)}."] if named else []


def baselines(runs: Sequence[Run]) -> Mapping[str, Baseline]:
    """Returns the baselines if they are the same in all runs, else {}.

    Baselines differ, for example, between seeds with different test questions.
    """
    first = runs[0].results.get("baselines", {})
    return first if all(run.results.get("baselines", {}) == first for run in runs) else {}


def columns(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """Returns the column names of `rows`: the setting, one column for each field that differs, then the figures."""
    own = ("condition", "slice", "group", "arm", "metric", "seed", "value", "low", "high", "n", "seeds", "method", "df")
    return ("setting", *groups[0].values, *own)


def rows(results: ComparisonResults) -> Iterator[csv_export.Row]:
    """Yields the rows of results.csv: figures over all seeds (study, conditions, slices), then figures of each seed."""
    for entry in results["settings"]:
        place = {"setting": entry["name"], **{name: _plain(value) for name, value in entry["values"].items()}}
        over = {**place, "seed": "pooled"}
        yield from _arm_rows(over, entry["arms"])
        for condition, arms in entry["conditions"].items():
            yield from _arm_rows({**over, "condition": condition}, arms)
        for name, values in entry["slices"].items():
            for value, arms in values.items():
                yield from _arm_rows({**over, "slice": name, "group": value}, arms)
        for label, metrics in entry["seeds"].items():
            arm, _, condition = label.partition("@")
            for metric, figure in metrics.items():
                own = {**place, "condition": condition, "arm": arm, "metric": metric}
                yield from ({**own, "seed": seed, "value": number} for seed, number in figure["values"].items())


def _arm_rows(place: csv_export.Row, arms: Mapping[str, Summary]) -> Iterator[csv_export.Row]:
    for arm, figures in arms.items():
        yield from csv_export.metric_rows({**place, "arm": arm}, figures)


def comparison_rows(results: ComparisonResults) -> Iterator[csv_export.Row]:
    """Yields the paired comparisons of the study, of the conditions and of the slices. The columns are COMPARISONS."""
    yield from map(_comparison_row, results["comparisons"])
    for condition, found in results["condition_comparisons"].items():
        yield from ({**_comparison_row(row), "condition": condition} for row in found)
    for condition, found in results["special_comparisons"].items():
        yield from ({**_comparison_row(row), "condition": condition} for row in found)
    for name, values in results["slice_comparisons"].items():
        for value, found in values.items():
            yield from ({**_comparison_row(row), "slice": name, "group": value} for row in found)


def _comparison_row(row: SettingComparison) -> csv_export.Row:
    shown = {key: value for key, value in row.items() if key in COMPARISONS}
    return {**shown, "seeds": len(row["seeds"])}


def _plain(value: object) -> str | int | float:
    return value if isinstance(value, str | int | float) else text(value)
