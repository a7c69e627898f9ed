"""`python -m raft_exp.report RUN [RUN ...] [out=DIR]`: finished runs again, or beside each other."""

import argparse
import re
import sys
from pathlib import Path

from raft_exp.core.errors import RaftError, StoreError

_DESCRIPTION = """One run: its report is made again from its files, scored with today's metrics, in place
(or in out=DIR).

Several runs, or the folder of a sweep: a comparison, in ./comparison (or out=DIR): a table of all settings, curves of
what was swept, means over seeds, paired comparisons. Nothing is trained and nothing is generated."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m raft_exp.report", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, or the folder of a sweep (-m)")
    parser.add_argument("out", nargs="?", metavar="out=DIR", help="where the pages go")
    given: list[str] = parser.parse_args().runs
    outs = [text.removeprefix("out=") for text in given if text.startswith("out=")]
    folders = [Path(text) for text in given if not text.startswith("out=")]
    if wrong := next((folder for folder in folders if re.match(r"\w+=", str(folder)) and not folder.exists()), None):
        parser.error(f"{wrong}: no such folder, and no setting; the only one is out=DIR")
    if not folders or len(outs) > 1:
        parser.error("name at least one RUN, and out=DIR at most once")
    try:
        print(f"report: {_report(folders, Path(outs[0]) if outs else None)}")
    except RaftError as error:
        _refuse(error)
    except OSError as error:
        _refuse(StoreError(f"{error.filename or 'report'}: {error.strerror}; choose another folder with out=DIR"))
    except KeyboardInterrupt:
        sys.exit("\nstopped")


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


def _refuse(error: Exception) -> None:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(2)
