"""The table that ends a run in the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raft_exp.reporting.verdict import distinguishable, percent, title

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_FIGURES = len("42.3-51.0")
_COLUMNS = 5


def table(results: Mapping[str, Any]) -> "Table":
    """Arms as rows, metrics with 95% intervals as columns, in percent; * marks what differs from the reference arm.

    The first five metrics: more do not fit in 80 columns. The report has all of them.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    metrics = results["metrics"][:_COLUMNS]
    marked = {(found["b"], found["metric"]) for found in results["comparisons"] if distinguishable(found)}
    made = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=Text(f"{results['corpus']}, {results['model']}, seed {results['seed']}"),
        caption=Text(
            f"Percent, with 95% intervals. * differs from {results['reference']} (p < 0.05, Holm). n: answered/asked."
        ),
    )
    made.add_column("arm")
    for metric in metrics:
        made.add_column(title(metric), justify="right", min_width=_FIGURES)
    made.add_column("n", justify="right")
    for name, arm in results["arms"].items():
        cells = [_cell(arm["metrics"].get(metric), marked=(name, metric) in marked) for metric in metrics]
        made.add_row(Text(name), *cells, _answered(arm))
    for name, arm in results["baselines"].items():
        cells = [_cell(arm["metrics"].get(metric)) for metric in metrics]
        label = f" ({arm['label']})" if "label" in arm else ""
        made.add_row(Text(f"{name}{label}"), *cells, "", style="dim")
    return made


def _cell(found: Mapping[str, float] | None, *, marked: bool = False) -> "Text":
    from rich.text import Text

    if found is None:  # a metric of quotes, and an arm that does not reason
        return Text("-", "dim")
    # Below its figure and no wider than "42.3-51.0": five metrics fit in 80 columns.
    interval = f"{percent(found['low'])}-{percent(found['high'])}".replace("100.0", "100")
    return Text.assemble("*" if marked else "", percent(found["value"]), "\n", (interval, "dim"))


def _answered(arm: Mapping[str, Any]) -> str:
    return f"{arm['n']}" if arm["answered"] == arm["n"] else f"{arm['answered']}/{arm['n']}"
