"""`python -m raft_exp.report RUN [RUN ...] [out=DIR]`: makes the report of one run again, or compares several runs.

RUN is the folder of a run, or of a sweep, whose runs are compared.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.errors import StoreError
from raft_exp.core.schema import config_dataclass
from raft_exp.core.screen import say


@config_dataclass
class ReportSettings:
    """The settings of `report`."""

    out: str | None = Field(
        default=None,
        title="DIR",
        description="the folder of the pages (default: the folder of one RUN, ./comparison for several)",
    )


_COMMAND = Command(
    form="python -m raft_exp.report RUN [RUN ...] [out=DIR]",
    about="""One run: makes its report again from its files, with the metrics of this version of raft_exp.
Several runs, or the folder of a sweep: compares them. The comparison has a table of all settings, curves over swept
numbers, means over seeds and paired comparisons. Nothing is trained and nothing is generated.""",
    words={"RUN": "a run folder, or the folder of a sweep (-m)"},
    settings=ReportSettings,
    most=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        runs, chosen = _COMMAND.read(arguments)
        try:
            say(f"report: {_report([Path(run) for run in runs], Path(chosen.out) if chosen.out else None)}")
        except OSError as error:
            place = error.filename or "report"
            raise StoreError(f"{place}: {error.strerror}; choose another folder with out=DIR") from error


def _report(folders: list[Path], out: Path | None) -> Path:
    from raft_exp.reporting.runs import open_runs

    runs, left_out = open_runs(folders)
    if len(folders) == 1 and runs[0].folder == folders[0]:
        from raft_exp.apps.report.rescore import make_again

        _print_lines(make_again(runs[0], out or folders[0]))
        return (out or folders[0]) / "report.html"
    from raft_exp.apps.shown_command import shown_command
    from raft_exp.pipeline.manifest import git_commit, has_local_changes
    from raft_exp.reporting import provenance
    from raft_exp.reporting.comparison import PAGES, write_comparison

    place = out or Path("comparison")
    results = write_comparison(place, runs, left_out)
    words = [*map(str, folders), *([f"out={out}"] if out else [])]
    command = shown_command("python -m raft_exp.report", words)
    facts = provenance.provenance(command, git_commit(), has_local_changes())
    provenance.stamp([place / name for name in PAGES], facts)
    _print_lines([*left_out, *results["apart"]])
    say(results["verdict"])
    return place / PAGES[0]


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        say(line, error=True)
