"""The blocks of a W&B Report: curves, tables, plots, examples, and links to the runs.

Each panel selects its runs by id, so that it shows no older runs of the same study.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces import expr

from raft_exp.evaluation.results import Results
from raft_exp.reporting.comparison_results import ComparisonResults
from raft_exp.reporting.formats import figure_text, title
from raft_exp.reporting.verdict import invented_quotes
from raft_exp.reporting.wandb.curves import axis, curve
from raft_exp.reporting.wandb.runs import OnlineRun, WandbRun, online_runs

_METRICS = 6  # largest number of metrics with a chart
_PLOTS = "plots/"

Blocks = list[object]


def of_study(run: WandbRun, folder: Path, note: str, results: Results, logged: Sequence[str]) -> Blocks:
    """Returns the blocks of one study. `logged`: the names of the study's tables and plots in W&B."""
    runset = _runset(run, "results", [run.id])
    trainings = [online["id"] for online in online_runs(folder) if online["job_type"] == "train"]
    bars = [
        wr.BarPlot(title=title(metric), metrics=[f"{arm}/{metric}" for arm in results["arms"]])
        for metric in results["metrics"][:_METRICS]
    ]
    tables = [name for name in logged if not name.startswith(_PLOTS) and name != "examples"]
    return [
        *_head(note, *results.get("warnings", []), results["verdict"], invented_quotes(results)),
        wr.H2("Results"),
        wr.MarkdownBlock(_markdown(results)),
        wr.PanelGrid(runsets=[runset], panels=[*bars, *_media(logged)]),
        wr.H2("Examples"),
        wr.PanelGrid(runsets=[_runset(run, "results", [run.id])], panels=[_table("examples")]),
        wr.H2("Tables"),
        wr.PanelGrid(runsets=[_runset(run, "results", [run.id])], panels=[_table(name) for name in tables]),
        *(_training(run, trainings) if trainings else []),
        *_links(online_runs(folder)),
    ]


def of_sweep(
    run: WandbRun,
    folders: Sequence[Path],
    note: str,
    results: ComparisonResults,
    curves: Mapping[str, Sequence[str]],
    logged: Sequence[str],
) -> Blocks:
    """Returns the blocks of a sweep.

    - `folders`: the folders of the sweep's jobs and of the sweep itself.
    - `curves`: swept field -> names of its lines.
    - `logged`: the names of the tables and plots in W&B.
    """
    metric = results["metrics"][0]
    every = list(chain.from_iterable(online_runs(folder) for folder in folders))
    reports = [online["id"] for online in every if online["job_type"] == "report"]
    trainings = [online["id"] for online in every if online["job_type"] == "train"]
    drawn = [
        wr.LinePlot(
            title=f"{title(metric)} by {field}",
            x=axis(field),
            y=[curve(field, line) for line in lines],
            title_x=field,
            title_y=title(metric),
        )
        for field, lines in curves.items()
    ]
    arms = dict.fromkeys(arm for entry in results["settings"] for arm in entry["arms"])
    dots = [
        wr.ScatterPlot(title=f"{arm}, each job", x=wr.Config(field), y=wr.SummaryMetric(f"{arm}/{metric}"))
        for field in curves
        for arm in arms
    ]
    tables = [name for name in logged if not name.startswith(_PLOTS)]
    return [
        *_head(note, results["verdict"]),
        wr.H2("Curves"),
        wr.PanelGrid(runsets=[_runset(run, "comparison", [run.id])], panels=[*drawn, *_media(logged)]),
        *([wr.PanelGrid(runsets=[_runset(run, "jobs", reports)], panels=dots)] if dots and reports else []),
        wr.H2("Results"),
        wr.PanelGrid(runsets=[_runset(run, "comparison", [run.id])], panels=[_table(name) for name in tables]),
        *_of_jobs(run, reports),
        *(_training(run, trainings) if trainings else []),
        *_links(every),
    ]


def _of_jobs(run: WandbRun, reports: Sequence[str]) -> Blocks:
    if not reports:
        return []
    panels = [_table("results"), _table("examples")]
    return [wr.H2("Examples"), wr.PanelGrid(runsets=[_runset(run, "jobs", reports)], panels=panels)]


def _head(*texts: str) -> Blocks:
    return [wr.P(text) for text in texts if text]


def _markdown(results: Results) -> str:
    """Returns the arms' figures as a Markdown table, which is visible before the panels have loaded."""
    metrics = results["metrics"][:_METRICS]
    lines = [["arm", *map(title, metrics), "n"], ["---"] * (len(metrics) + 2)]
    for name, arm in results["arms"].items():
        lines.append([f"`{name}`", *(figure_text(arm["metrics"].get(metric)) for metric in metrics), f"{arm['n']:,}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\nPercent, with 95% intervals."


def _training(run: WandbRun, trainings: Sequence[str]) -> Blocks:
    plots = [
        wr.LinePlot(title=name, x="trainer/global_step", y=[name])
        for name in ("train/loss", "train/grad_norm", "speed/tokens_per_second")
    ]
    return [wr.H2("Training"), wr.PanelGrid(runsets=[_runset(run, "trainings", trainings)], panels=plots)]


def _links(online: Iterable[OnlineRun]) -> Blocks:
    items = [[wr.Link(text=run["name"], url=run["url"])] for run in online]
    return [wr.H2("Runs"), wr.UnorderedList(items=items)] if items else []


def _runset(run: WandbRun, name: str, ids: Sequence[str]) -> object:
    return wr.Runset(entity=run.entity, project=run.project, name=name, filters=[expr.Metric("ID").isin(list(ids))])


def _table(name: str) -> object:
    return wr.WeavePanelSummaryTable(table_name=name, layout=wr.Layout(w=24, h=10))


def _media(logged: Sequence[str]) -> Blocks:
    keys = [name for name in logged if name.startswith(_PLOTS)]
    return (
        [wr.MediaBrowser(title="plots", media_keys=keys, num_columns=2, layout=wr.Layout(w=24, h=14))] if keys else []
    )
