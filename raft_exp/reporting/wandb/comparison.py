"""A sweep's last run in W&B: its jobs beside each other, with the curves of what was swept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from raft_exp.reporting import comparison, sweeps
from raft_exp.reporting.compare import compared
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.settings import settings
from raft_exp.reporting.wandb.curves import axis, history
from raft_exp.reporting.wandb.results import pictures, table
from raft_exp.reporting.wandb.runs import start
from raft_exp.reporting.wandb.study import study_of


def log(folder: Path, jobs: Sequence[Path], page: bool) -> None:
    """One run of job type `sweep`; with `page` a W&B Report of the whole sweep as well.

    Its tables are those of `python -m raft_exp.report`; its history has a step for each point of a curve, so that W&B
    draws them itself.
    """
    runs, _ = open_runs(jobs)
    found, equal = settings(runs)
    told = compared(found)
    first = study_of(runs[0].config, runs[0].folder)
    assert first is not None, "log_sweep asks for jobs that logged to W&B"
    sweep = replace(first, settings={"study": first.study, **equal}, folder=folder, given={})
    drawn = pictures((plot["title"], plot["svg"]) for plot in sweeps.plots(found, told, comparison.baselines(runs)))
    run = start(sweep, "sweep", "sweep")
    lines = sweeps.lines(found, told)
    for field, points in lines.items():
        run.define_metric(f"{axis(field)}/*", step_metric=axis(field))
        for row in history(field, points):
            run.log(row)
    shown = {
        "curves": table(comparison.columns(found), comparison.rows(told)),
        "comparisons": table(comparison.COMPARISONS, told["comparisons"]),
        **drawn,
    }
    run.log(shown)
    run.summary["verdict"] = told["verdict"]
    run.finish()
    if page:
        from raft_exp.reporting.wandb.page import publish

        curves = {field: list(points) for field, points in lines.items()}
        note = str(first.settings["note"])
        publish(run, sweep, lambda: _blocks(run, [*jobs, folder], note, told, curves, list(shown)))


def _blocks(*what: Any) -> list[Any]:
    from raft_exp.reporting.wandb.blocks import of_sweep

    return of_sweep(*what)
