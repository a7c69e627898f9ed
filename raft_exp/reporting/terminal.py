"""The table that a run prints at its end, with the verdict and the warnings."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from raft_exp.evaluation.results import ArmResult, Figure, Results
from raft_exp.reporting import citations, elsewhere, judge_corrected, judge_cost, judge_tables
from raft_exp.reporting.formats import model_name, percent, title
from raft_exp.reporting.supervised import supervised_tokens
from raft_exp.reporting.verdict import INVENTED, has_invented_quotes, invented_quotes, significant
from raft_exp.reporting.wording import wording_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_FIGURES = len("42.3-51.0")
_COLUMNS = 5


def shown_metrics(results: Results, requested: Collection[str]) -> tuple[list[str], list[str]]:
    """Returns the metrics that get a column (at least five), and the other metrics.

    The primary metric comes first, then those of evaluation.metrics (`requested`), then the rest in their order.
    """
    primary, others = results["metrics"][:1], results["metrics"][1:]
    ordered = [*primary, *sorted(others, key=lambda metric: metric not in requested)]
    columns = max(_COLUMNS, 1 + sum(metric in requested for metric in others))
    return ordered[:columns], ordered[columns:]


def verdict(results: Results) -> list["Text"]:
    """Returns the warnings, then the lines of `findings`."""
    from rich.text import Text

    warnings = [Text.assemble(("warning: ", "yellow"), line) for line in results.get("warnings", [])]
    return [*warnings, *map(Text, findings(results))]


def findings(results: Results) -> list[str]:
    """Returns the verdict, then lines on quotes, judging, citations, metrics of wording and effects on other data."""
    lines = (
        results["verdict"],
        invented_quotes(results),
        judge_tables.line(results),
        *judge_corrected.lines(results),
        citations.line(results),
        judge_cost.line(results),
        wording_line(results),
        *elsewhere.lines(results),
    )
    return list(filter(None, lines))


def marks(results: Results) -> str:
    """Returns the sentence that says what the mark * means."""
    return f"* differs from {results['reference']} (p < 0.05{_correction(results)})."


def table(results: Results, requested: Collection[str] = ()) -> "Group":
    """Returns the table of results in percent: arms as rows, metrics with 95% intervals as columns.

    The share of invented quotes stands beside the primary metric if an arm has it. The table is split into parts of
    five metrics, which fit in 80 characters. The caption names the metrics without a column. The mark * means a
    significant difference from the reference arm. `requested`: the metrics of evaluation.metrics.
    """
    from rich.console import Group
    from rich.text import Text

    metrics, others = shown_metrics(results, requested)
    more = f" {len(others)} more in report.md: {', '.join(map(title, others))}." if others else ""
    parts = [_part(results, metrics[start : start + _COLUMNS], not start) for start in range(0, len(metrics), _COLUMNS)]
    parts[0].title = Text(f"{results['corpus']}, {model_name(results['model'])}, seed {results['seed']}")
    parts[-1].caption = Text(
        f"Percent, with 95% intervals. {marks(results)} {_n(results)}{more} {supervised_tokens(results)}".rstrip()
    )
    return Group(*parts)


def _part(results: Results, metrics: Sequence[str], first: bool) -> "Table":
    """Returns the table of the given metrics. `first`: whether the first of them is the primary metric."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    marked = significant(results["comparisons"])
    quotes = first and has_invented_quotes(results)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("arm")
    for place, metric in enumerate(metrics):
        table.add_column(title(metric), justify="right", min_width=_FIGURES)
        if quotes and place == 0:
            table.add_column(INVENTED, justify="right", min_width=_FIGURES)
    table.add_column("n", justify="right")
    for name, arm in results["arms"].items():
        cells = [_cell(arm["metrics"].get(metric), marked=(name, metric) in marked) for metric in metrics]
        cells[1:1] = [_cell(arm.get("invented_quotes"))] if quotes else []
        table.add_row(Text(name), *cells, _answered(arm))
    for name, baseline in results["baselines"].items():
        cells = [_cell(baseline["metrics"].get(metric)) for metric in metrics]
        cells[1:1] = [_cell(None)] if quotes else []
        label = f" ({baseline['label']})" if "label" in baseline else ""
        table.add_row(Text(f"{name}{label}"), *cells, "", style="dim")
    return table


def _correction(results: Results) -> str:
    """Describes the correction of p-values for several comparisons; "" for a single comparison."""
    compared = {row["b"] for row in results["comparisons"]}
    if len(compared) < 2:
        return ""
    against = results["primary"]["against"] if "primary" in results else None
    exception = f"; the comparison with {against} was chosen before the run and is not corrected" if against else ""
    return f" after Holm's correction for several comparisons{exception}"


def _n(results: Results) -> str:
    short = any(arm["answered"] < arm["n"] for arm in results["arms"].values())
    return "n: test questions" + (", as replies/questions where replies are missing." if short else ".")


def _cell(figure: Figure | None, *, marked: bool = False) -> "Text":
    from rich.text import Text

    if figure is None:  # a figure of quotes, for an arm that does not reason
        return Text("-", "dim")
    # The interval stands below the figure and is no wider than "42.3-51.0", so that five metrics fit in 80 columns.
    interval = f"{percent(figure['low'])}-{percent(figure['high'])}".replace("100.0", "100")
    return Text.assemble("*" if marked else "", percent(figure["value"]), "\n", (interval, "dim"))


def _answered(arm: ArmResult) -> str:
    return f"{arm['n']}" if arm["answered"] == arm["n"] else f"{arm['answered']}/{arm['n']}"
