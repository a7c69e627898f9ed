"""report.html, report.md and the CSV files of one study."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raft_exp.evaluation.statistics import PERMUTATIONS, RESAMPLES
from raft_exp.reporting import conditions, published
from raft_exp.reporting.csv_export import write_csv_files
from raft_exp.reporting.examples import LIMIT, examples
from raft_exp.reporting.facts import audits, drawn, facts, quarantine
from raft_exp.reporting.plots import arms as arm_plots
from raft_exp.reporting.plots import curves, histograms
from raft_exp.reporting.render import embedded, write
from raft_exp.reporting.tables import tables


def write_pages(
    out: Path,
    *,
    results: Mapping[str, Any],
    audit: Mapping[str, Any],
    losses: Mapping[str, Mapping[str, curves.Curve]],
    study: str,
    note: str,
    arms: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    test: Path,
) -> None:
    """Writes the pages into `out`, which holds the predictions (and timings.json, where answers were timed).

    `test` holds the rows that were asked: their passages stand beside the examples.
    """
    from markupsafe import Markup

    shown = examples(test, out / "predictions", list(results["arms"]), results["metrics"], results["reference"])
    view = {
        "study": study,
        "note": note,
        "quarantine": list(quarantine(audit)),
        "results": results,
        **tables(results, settings, _timings(out)),
        "published": published.table(results),
        "arms": {name: facts(arm) for name, arm in arms.items()},
        "settings": facts(settings),
        "audit": [
            {"name": name, "facts": facts(found), "plot": Markup(histograms.audit(drawn(found)))}
            for name, found in audits(audit)
        ],
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        "examples": shown,
        "examples_limit": LIMIT,
        "examples_data": embedded(shown),
        # Markup: SVG of our own making, in which matplotlib has escaped every text.
        "interval_plot": Markup(arm_plots.intervals(results)),
        "difference_plot": Markup(arm_plots.differences(results)),
        "condition_plots": [
            {"title": plot["title"], "svg": Markup(plot["svg"])} for plot in conditions.plots(results, settings)
        ],
        "loss_plot": Markup(curves.losses(losses)),
    }
    write(out / "report.html", "report.html.j2", view)
    write(out / "report.md", "report.md.j2", view)
    write_csv_files(out, results)


def _timings(out: Path) -> dict[str, Any]:
    path = out / "timings.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found
