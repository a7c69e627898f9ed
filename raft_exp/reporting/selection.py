"""The settings that were chosen on validation questions, as tables of all candidate values with their figures."""

from collections.abc import Iterator
from typing import TypedDict

from raft_exp.evaluation.results import Choice, Results
from raft_exp.evaluation.selection import describe, edge_warning
from raft_exp.reporting.formats import figure_text, percent


class ChoiceTable(TypedDict):
    """The table of one choice: a row for each candidate value."""

    name: str  # the training whose learning rate was chosen, or ARM@prompt
    line: str
    columns: list[str]  # the value, the mean over the arms (if there are several), each arm
    rows: list[tuple[bool, list[str]]]  # whether it was chosen, and its cells


def tables(results: Results) -> list[ChoiceTable]:
    """Returns the tables of a study's choices; [] if nothing was chosen."""
    return [_table(name, choice) for name, choice in results.get("selection", {}).items()]


def edges(results: Results) -> Iterator[str]:
    """Yields a warning for each setting whose chosen value is the lowest or highest in its search grid."""
    for name, choice in results.get("selection", {}).items():
        if warning := edge_warning(name, choice):
            yield warning


def _table(name: str, choice: Choice) -> ChoiceTable:
    arms = list(choice["candidates"][0]["arms"])
    mean = ["mean"] if len(arms) > 1 else []
    rows = [
        (
            candidate["name"] == choice["chosen"],
            [
                candidate["name"].removeprefix("lr="),
                *([percent(candidate["mean"])] if mean else []),
                *(figure_text(candidate["arms"][arm]) for arm in arms),
            ],
        )
        for candidate in choice["candidates"]
    ]
    setting = choice["setting"].rpartition(".")[2].replace("_", " ")
    return {"name": name, "line": describe(name, choice), "columns": [setting, *mean, *arms], "rows": rows}
