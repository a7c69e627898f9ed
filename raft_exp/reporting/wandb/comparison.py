"""Logs the comparison of a sweep's jobs to W&B, with curves over the swept settings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from raft_exp.reporting import comparison, sweeps
from raft_exp.reporting.compare import compared
from raft_exp.reporting.comparison_results import ComparisonResults
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.settings import settings
from raft_exp.reporting.wandb.curves import axis, history
from raft_exp.reporting.wandb.results import pictures, table
from raft_exp.reporting.wandb.runs import WandbRun, start
from raft_exp.reporting.wandb.study import study_of


def log(folder: Path, jobs: Sequence[Path], page: bool) -> None:
    """Logs the comparison as one W&B run of job type `sweep`. `page`: whether to save a W&B Report of the sweep too.

    The tables are those of `python -m raft_exp.report`. Each value of a swept field is one step of the run's history.
    """
    runs, _ = open_runs(jobs)
    groups, equal = settings(runs)
    results = compared(groups)
    first = study_of(runs[0].config, runs[0].folder)
    assert first is not None, "log_sweep checks that the jobs logged to W&B"
    sweep = replace(first, settings={"study": first.study, **equal}, folder=folder, given={})
    plots = sweeps.plots(groups, results, comparison.baselines(runs))
    drawn = pictures((plot["title"], plot["svg"]) for plot in plots)
    run = start(sweep, "sweep", "sweep")
    lines = sweeps.lines(groups, results)
    for field, points in lines.items():
        run.define_metric(f"{axis(field)}/*", step_metric=axis(field))
        for row in history(field, points):
            run.log(row)
    shown = {
        "curves": table(comparison.columns(groups), comparison.rows(results)),
        "comparisons": table(comparison.COMPARISONS, comparison.comparison_rows(results)),
        **drawn,
    }
    run.log(shown)
    run.summary["verdict"] = results["verdict"]
    run.finish()
    if page:
        from raft_exp.reporting.wandb.page import publish

        curves = {field: list(points) for field, points in lines.items()}
        note = str(first.settings["note"])
        publish(run, sweep, lambda: _blocks(run, [*jobs, folder], note, results, curves, list(shown)))


def _blocks(
    run: WandbRun,
    folders: Sequence[Path],
    note: str,
    results: ComparisonResults,
    curves: Mapping[str, Sequence[str]],
    logged: Sequence[str],
) -> list[object]:
    from raft_exp.reporting.wandb.blocks import of_sweep

    return of_sweep(run, folders, note, results, curves, logged)
