"""The table of one campaign: what was tried, how often, and how often the outcome was right."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    """One kind of trial. `right` counts the trials with the outcome that `expected` states."""

    kind: str
    expected: str
    tried: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)  # one line for each trial with another outcome

    def add(self, trial: str, problem: str = "") -> None:
        """Counts a trial; `problem` says what was wrong, "" where nothing was."""
        self.tried += 1
        if problem:
            self.wrong.append(f"{trial}: {problem}")
        else:
            self.right += 1


Campaign = Callable[[Path, int], Iterable[Row]]  # an empty folder and a seed -> rows


def markdown(rows: Iterable[Row]) -> str:
    """A table of Markdown."""
    lines = ["| what was done | what must happen | tried | right |", "| --- | --- | ---: | ---: |"]
    lines += [f"| {row.kind} | {row.expected} | {row.tried} | {row.right} |" for row in rows]
    return "\n".join(lines)


def replaced(page: str, name: str, table: str) -> str:
    """The page with the table between its marks `<!-- campaign: NAME -->` and `<!-- end -->`."""
    start = f"<!-- campaign: {name} -->"
    before, mark, rest = page.partition(start)
    if not mark:
        raise ValueError(f"the page has no mark {start}")
    return f"{before}{start}\n\n{table}\n\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
