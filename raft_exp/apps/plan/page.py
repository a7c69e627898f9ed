"""Formats a plan as a short page for the terminal."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from raft_exp.apps.plan.claims import POINTS
from raft_exp.apps.plan.figures import Claim, Figure, Plan, Unit
from raft_exp.pipeline.estimate import duration


def page(plan: Plan) -> Iterator[RenderableType]:
    """Yields the parts of the page, in order."""
    yield f"[bold]plan of {escape(plan['study'])}[/]: {escape(plan['model'])} on {plan['device']}"
    yield "≤: an upper bound, from the largest sizes that the settings allow, because the store has no counts."
    yield _table("test", [plan["questions"]])
    if plan["claims"]:
        yield _claims(plan["claims"])
    for title in ("memory", "hours", "disk", "teacher"):
        if figures := plan[title]:
            yield _table({"hours": "time", "teacher": "requests and cost"}.get(title, title), _together(figures))
    for line in plan["warnings"]:
        yield f"[yellow]warning:[/] {escape(line)}"
    for line in plan["left_out"]:
        yield f"not estimated: {escape(line)}"


def _claims(claims: Sequence[Claim]) -> Table:
    """Returns a table with one row per comparison.

    A row has the number of questions, the smallest difference that the test finds, the numbers of questions that
    differences of 2, 5 and 10 points need, and the assumed or measured spread.
    """
    first = claims[0]
    title = f"comparisons in {first['metric'].replace('_', ' ')}: {first['test']}, 80% power at the 5% level"
    needed = (f"{points} points need" for points in POINTS)
    table = _empty(title, f"{first['a']} minus", "questions", "detects ≥", *needed, first["spread"]["kind"])
    for claim in claims:
        spread = claim["spread"]
        table.add_row(
            escape(claim["b"]) + (" (primary)" if claim["primary"] else ""),
            "?" if claim["questions"] is None else f"{claim['questions']:,}",
            _points(claim),
            *(_needed(claim["needed"][str(points)]) for points in POINTS),
            f"{spread['value']:.2f} {spread['basis']}: {escape(spread['source'])}",
        )
    return table


def _empty(title: str, *columns: str) -> Table:
    return Table(*map(escape, columns), title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def _points(claim: Claim) -> str:
    if claim["detectable"] is not None:
        return f"{100 * claim['detectable']:.1f} points"
    return "?" if claim["questions"] is None else "none"


def _needed(questions: int | None) -> str:
    return "over a million" if questions is None else f"{questions:,}"


def _table(title: str, figures: Sequence[Figure]) -> Table:
    table = _empty(title, "what", "how much", "how it is known")
    for figure in figures:
        table.add_row(escape(figure["what"]), amount(figure), f"{figure['basis']}: {escape(figure['source'])}")
    return table


def _together(figures: Sequence[Figure]) -> list[Figure]:
    """Joins figures that differ only in their names into one figure."""
    groups: dict[tuple[object, ...], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((amount(figure), figure["basis"], figure["source"]), []).append(figure)
    return [
        {**group[0], "what": "each of " * (len(group) > 1) + ", ".join(figure["what"] for figure in group)}
        for group in groups.values()
    ]


def amount(figure: Figure) -> str:
    """Returns the value of a figure as text with its unit, with ≤ for an upper bound; `unknown` for None."""
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "unknown"
    return ("≤ " if "at_most" in figure else "") + _with_unit(value, unit)


def _with_unit(value: float, unit: Unit) -> str:
    if unit == "seconds":
        return duration(value)
    if unit == "GiB":
        return f"{value:,.1f} GiB" if value >= 1 else f"{1024 * value:,.0f} MiB"
    if unit == "GB":
        return f"{value:,.1f} GB" if value >= 1 else f"{1000 * value:,.0f} MB"
    return f"{value:,.2f} {unit}" if unit == "of the prices' currency" else f"{value:,.0f} {unit}"
