"""`python -m raft_exp.report RUN [RUN ...] [out=DIR]`: finished runs again, or beside each other."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.errors import StoreError
from raft_exp.core.schema import config_dataclass


@config_dataclass
class ReportSettings:
    """The settings of `report`."""

    out: str | None = Field(
        default=None,
        title="DIR",
        description="where the pages go (default: the folder of one RUN, ./comparison for several)",
    )


_COMMAND = Command(
    form="python -m raft_exp.report RUN [RUN ...] [out=DIR]",
    about="""One run: makes its report again from its files, scored with today's metrics.
Several runs, or the folder of a sweep: compares them. The comparison has a table of all settings, curves of what was
swept, means over seeds and paired comparisons. Nothing is trained and nothing is generated.""",
    words={"RUN": "a run folder, or the folder of a sweep (-m)"},
    settings=ReportSettings,
    most=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        runs, chosen = _COMMAND.read(arguments)
        try:
            print(f"report: {_report([Path(run) for run in runs], Path(chosen.out) if chosen.out else None)}")
        except OSError as error:
            place = error.filename or "report"
            raise StoreError(f"{place}: {error.strerror}; choose another folder with out=DIR") from error


def _report(folders: list[Path], out: Path | None) -> Path:
    from raft_exp.reporting.runs import open_runs

    runs, left_out = open_runs(folders)
    if len(folders) == 1 and runs[0].folder == folders[0]:
        from raft_exp.apps.report.rescore import make_again

        _say(make_again(runs[0], out or folders[0]))
        return (out or folders[0]) / "report.html"
    from raft_exp.reporting.comparison import write_comparison

    told = write_comparison(out or Path("comparison"), runs, left_out)
    _say([*left_out, *told["apart"]])
    print(told["verdict"])
    return (out or Path("comparison")) / "comparison.html"


def _say(lines: list[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
