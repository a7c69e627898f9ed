"""Formats the planned sweeps of the paper and their expected time for the terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from raft_exp.apps.paper.expected import ON_DEVICE, Expectation, PlannedSweep, Work

_COLUMNS = ("study", "data set", "runs", "stages to run", "reused", "hours")


def lines(planned: Sequence[PlannedSweep], work: Sequence[Work], expectation: Expectation) -> Iterator[RenderableType]:
    """Yields a table with a row for each sweep, and the total time as a line.

    Then yields a line for each sweep that cannot be run or lacks data, and for each size that cannot be estimated.
    """
    table = Table(*_COLUMNS, box=SIMPLE_HEAD, pad_edge=False)
    for sweep, own in zip(planned, work, strict=True):
        cells = (str(len(sweep.studies)), str(own.to_run), str(own.reused), _hours(own))
        table.add_row(sweep.sweep.study, sweep.sweep.corpus, *(cells if sweep.studies else ("0", "", "", "")))
    yield table
    yield _total(work, "GPU" if expectation.on_gpu else "CPU")
    for sweep in planned:
        if reason := sweep.sweep.failure or sweep.sweep.lack:
            yield f"{sweep.sweep.study} on {sweep.sweep.corpus}: {escape(reason)}"
    for line in expectation.left.lines:
        yield f"not estimated: {escape(line)}"


def _hours(work: Work) -> str:
    known = sum(work.seconds.values())
    sign = "≥ " if {*ON_DEVICE} & {*work.unknown} else ""
    return f"{sign}{known / 3600:.2f}" if work.to_run else "0"


def _total(work: Sequence[Work], device: str) -> str:
    """Describes the expected hours of all ON_DEVICE stages, with their basis."""
    by_basis = {
        basis: sum(own.seconds.get(basis, 0.0) for own in work) / 3600
        for basis in ("measured", "estimated")
        if any(basis in own.seconds for own in work)
    }
    unknown = Counter(name for own in work for name in own.unknown if name in ON_DEVICE)
    parts = [f"{hours:.2f} {basis}" for basis, hours in by_basis.items()]
    line = f"expected: {sum(by_basis.values()):.2f} {device} hours of training, answering and embedding"
    line += f" ({', '.join(parts)})" if parts else ""
    if unknown:
        line += f"; unknown for {', '.join(f'{count} {name}' for name, count in unknown.items())} stages"
    return line
