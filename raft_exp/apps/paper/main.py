"""`python -m raft_exp.paper [SETTING ...]`: runs all studies of the paper, and writes one page of results."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.plan.devices import DeviceName
from raft_exp.core.errors import ConfigError, DataError, StoreError, SweepError
from raft_exp.core.schema import config_dataclass
from raft_exp.core.screen import say

if TYPE_CHECKING:
    from raft_exp.apps.paper.expected import PlannedSweep


@config_dataclass
class PaperSettings:
    """The settings of `paper`."""

    data: str | None = Field(
        default=None,
        title="DIR",
        description="a folder with a subfolder per data set, named like its experiment (default: download)",
    )
    out: str = Field(default="runs/paper", title="DIR", description="the folder of the runs and of the page")
    dry_run: bool = Field(default=False, description="true: only prints what would run, and the expected time")
    device: DeviceName | None = Field(
        default=None,
        title="NAME",
        description="device of the estimated times: cpu, h200, ... (default: cpu or h100, by trainer)",
    )


_COMMAND = Command(
    form="python -m raft_exp.paper [SETTING ...] [data=DIR] [out=DIR] [dry_run=true]",
    about="""Runs the studies of the paper: table 1 (and with it table 2) on its five data sets, figures 5 and 6 on
Natural Questions, TriviaQA and HotpotQA. First prints what would run, and the expected time. Ends in one page,
out/paper.html: the paper's figures and ours, with intervals. The same command resumes: finished stages are reused.""",
    words={"[SETTING ...]": "settings of all studies, as for `python -m raft_exp`"},
    settings=PaperSettings,
    most=None,
    of_study=True,
    needs_word=False,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        words, chosen = _COMMAND.read(arguments)
        for word in words:
            if "=" not in word and not word.startswith("~"):
                raise ConfigError(f"SETTING: got {word!r}; settings are written name=value, such as model=qwen3_4b")
        from raft_exp.apps.paper.expected import planned_sweeps
        from raft_exp.apps.paper.sweeps import paper_sweeps, with_small_model

        if more := with_small_model(words)[len(words) :]:
            say(f"+debug=short adds {' '.join(more)}: the figures of a short study mean nothing with any model")
        data = Path(chosen.data) if chosen.data else None
        with _each_warning_once():
            planned = planned_sweeps(paper_sweeps(words, data, Path(chosen.out)))
        if not any(sweep.studies for sweep in planned):
            raise DataError(f"no study of the paper can be run: {planned[0].sweep.failure}")
        _show(planned, chosen.device)
        if not chosen.dry_run:
            _run(planned, Path(chosen.out), words, chosen)


@contextlib.contextmanager
def _each_warning_once() -> Iterator[None]:
    """Inside the `with` block a warning is shown once, and not again for each study that reads the same data."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        known = message in seen
        seen.add(message)
        return not known

    handlers = [handler for handler in [*logging.getLogger().handlers, logging.lastResort] if handler]
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)


def _show(planned: "Sequence[PlannedSweep]", device: DeviceName | None) -> None:
    from raft_exp.apps.paper.expected import Expectation
    from raft_exp.apps.paper.table import lines
    from raft_exp.core.screen import Console

    expectation = Expectation(device)
    console = Console(highlight=False, soft_wrap=False)
    for part in lines(planned, [expectation.of(sweep) for sweep in planned], expectation):
        console.print(part)


def _run(planned: "Sequence[PlannedSweep]", out: Path, words: Sequence[str], chosen: PaperSettings) -> None:
    from raft_exp.apps.paper.run import part, run, unfinished
    from raft_exp.apps.shown_command import shown_command
    from raft_exp.pipeline.manifest import git_commit, has_local_changes
    from raft_exp.reporting import provenance
    from raft_exp.reporting.paper.page import write_paper

    failed = []
    for sweep in planned:
        name = f"{sweep.sweep.study} on {sweep.sweep.corpus}"
        if sweep.studies and unfinished(sweep):
            say(f"{name}: {len(sweep.studies)} runs in {sweep.sweep.folder}")
            if run(sweep):
                failed.append(name)
    try:
        page = write_paper(out, [part(sweep) for sweep in planned])
        own = [f"data={chosen.data}"] if chosen.data else []
        command = shown_command("python -m raft_exp.paper", [*words, *own])
        provenance.stamp([page], provenance.provenance(command, git_commit(), has_local_changes()))
    except OSError as error:
        raise StoreError(f"{error.filename or out}: {error.strerror}; choose another folder with out=DIR") from error
    say(f"page: {page}")
    if failed:
        raise SweepError(
            f"{len(failed)} of {len(planned)} sweeps have failed jobs: {', '.join(failed)}; correct their errors and "
            "repeat the command: it runs only the missing stages"
        )
