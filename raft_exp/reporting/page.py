"""report.html, report.md and the CSV files of one study."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from raft_exp.core.audit import StudyAudit
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.statistics import PERMUTATIONS, RESAMPLES
from raft_exp.reporting import (
    citations,
    conditions,
    contrasts,
    elsewhere,
    judge_corrected,
    judge_cost,
    judge_tables,
    length,
    published,
    selection,
    special_tables,
)
from raft_exp.reporting.arm_words import described
from raft_exp.reporting.audit_tables import audit_views
from raft_exp.reporting.csv_export import write_csv_files
from raft_exp.reporting.examples import LIMIT, examples
from raft_exp.reporting.facts import facts, quarantine
from raft_exp.reporting.formats import model_name
from raft_exp.reporting.paths import without_folders
from raft_exp.reporting.plots import arms as arm_plots
from raft_exp.reporting.plots import curves, histograms
from raft_exp.reporting.provenance import PAGES
from raft_exp.reporting.render import embedded, write
from raft_exp.reporting.supervised import supervised_tokens
from raft_exp.reporting.tables import reference_first, tables
from raft_exp.reporting.timings import Timings
from raft_exp.reporting.verdict import invented_quotes, scope
from raft_exp.reporting.wording import wording_line


def write_pages(
    out: Path,
    *,
    results: Results,
    audit: StudyAudit,
    losses: Mapping[str, Mapping[str, curves.Curve]],
    study: str,
    note: str,
    arms: Mapping[str, Mapping[str, object]],
    settings: Mapping[str, object],
    test: Path,
) -> None:
    """Writes the pages into `out`. `out` holds the predictions, and timings.json if the answers were timed.

    - `losses`: adapter -> column -> loss curve.
    - `arms`: arm -> its settings. `settings`: the study's settings. The pages show both.
    - `test`: the file of the test rows. Their passages are shown with the examples.
    """
    from markupsafe import Markup

    arms = {name: without_folders(arm) for name, arm in arms.items()}
    settings = without_folders(settings)
    shown = examples(test, out / "predictions", reference_first(results), results["metrics"], results["reference"])
    view = {
        "study": study,
        "note": note,
        "scope": scope(results, arms),
        "quarantine": list(quarantine(audit)),
        "invented": invented_quotes(results),
        "judging": judge_cost.line(results),
        "warnings": results.get("warnings", []),
        "contrasts": contrasts.lines(results),
        "results": results,
        "model": model_name(results["model"]),
        **tables(results, settings, _timings(out)),
        "published": published.table(results, settings),
        "selection": selection.tables(results),
        "wording": wording_line(results),
        "supervised": supervised_tokens(results),
        "cost": elsewhere.cost(results),
        "citations": citations.table(results),
        "judge": judge_tables.view(results),
        "judge_corrected": judge_corrected.view(results),
        "arms": {name: facts({key: value for key, value in arm.items() if value}) for name, arm in arms.items()},
        "arm_words": {name: described(arms[name]) for name in results["arms"] if name in arms},
        "settings": facts(settings),
        "audit": [{"view": view, "plot": Markup(histograms.audit(view.split))} for view in audit_views(audit)],
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        "examples": shown,
        "examples_limit": LIMIT,
        "examples_data": embedded(shown),
        # Markup is safe: matplotlib escapes all text in the SVG.
        "interval_plot": Markup(arm_plots.intervals(results)),
        "difference_plot": Markup(arm_plots.differences(results)),
        "condition_plots": [
            {"title": plot["title"], "svg": Markup(plot["svg"])} for plot in conditions.plots(results, settings)
        ],
        "refusals": _with_markup(special_tables.refusals(results)),
        "conflicts": _with_markup(special_tables.conflicts(results)),
        "length_plot": Markup(length.plot(results, settings)),
        "loss_plot": Markup(curves.losses(losses)),
    }
    for page in PAGES:
        write(out / page, f"{page}.j2", view)
    write_csv_files(out, results)


def _with_markup(tables: Iterable[special_tables.SpecialTable]) -> list[dict[str, object]]:
    from markupsafe import Markup

    return [{**table, "svg": Markup(table["svg"])} for table in tables]


def _timings(out: Path) -> Timings:
    path = out / "timings.json"
    timings: Timings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return timings
