"""The progress bar of a job: done, in flight, failed, tokens, cost, time left. Shown only on a terminal."""

import sys
from types import TracebackType

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from raft_exp.core.screen import Console


class TaskDisplay:
    """A progress bar that shows the attributes done, in_flight, failed, tokens and cost. The caller sets them."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self.done = self.in_flight = self.failed = self.tokens = 0
        self.cost: float | None = None

    def restart(self) -> None:
        """Resets `done` and `in_flight` at the start of a pass."""
        self.done = self.in_flight = 0

    def say(self, text: str) -> None:
        """Prints a line above the progress bar."""
        self._console.print(f"  [dim]{escape(self._label)}: {escape(text)}[/]", soft_wrap=True)

    def __enter__(self) -> "TaskDisplay":
        if sys.stderr.isatty():
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Figures(self),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.add_task(self._label, total=self._total)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None


class _Figures(ProgressColumn):
    """The column with the counts. Reads them from `display` each time that the bar is drawn."""

    def __init__(self, display: TaskDisplay) -> None:
        super().__init__()
        self._display = display

    def render(self, task: Task) -> Text:
        """Returns the text of the column, and updates the bar."""
        shown = self._display
        if shown._progress and not task.finished:
            shown._progress.update(task.id, completed=shown.done)
        cost = "" if shown.cost is None else f", cost {shown.cost:.4g}"
        return Text(f"{shown.in_flight} in flight, {shown.failed} failed, {shown.tokens:,} tokens{cost}")
