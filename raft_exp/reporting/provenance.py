"""Date, version, commit and command of a run, in the head of its pages.

The report stage always writes the same bytes for the same study, so its pages have a placeholder for these facts. In
the run folder the placeholder is replaced.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from raft_exp import __version__
from raft_exp.reporting.render import markdown_text

PAGES = ("report.html", "report.md")
FILE = "provenance.json"  # in the run folder
MARK = "<!-- provenance -->"  # escaped text cannot contain it
_LETTERS = 12  # of a commit


class Provenance(TypedDict):
    """The content of `provenance.json`: how a run was made.

    The command contains no secrets, and only the last part of each path.
    """

    date: str  # the end of the run, in UTC
    version: str  # of raft_exp
    commit: str | None  # of the checkout; None for an installed package
    local_changes: bool  # the checkout differs from its commit
    command: str


def provenance(command: str, commit: str | None, local_changes: bool) -> Provenance:
    """Returns the facts of a run that ends now."""
    return Provenance(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        commit=commit,
        local_changes=local_changes,
        command=command,
    )


def write(run: Path, facts: Provenance) -> None:
    """Writes provenance.json into a run folder."""
    (run / FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read(run: Path) -> Provenance | None:
    """Returns the facts of a run folder; None for a run of an older version, which wrote no provenance.json."""
    file = run / FILE
    if not file.exists():
        return None
    facts: Provenance = json.loads(file.read_text(encoding="utf-8"))
    return facts


def describe(facts: Provenance) -> list[tuple[str, str]]:
    """Returns the facts for readers as (name, value), without the command."""
    commit = facts["commit"]
    changed = " with local changes" if facts["local_changes"] else ""
    named = [("date", facts["date"]), ("version", facts["version"])]
    return [*named, ("commit", commit[:_LETTERS] + changed)] if commit else named


def stamp(pages: Iterable[Path], facts: Provenance | None, again: Provenance | None = None) -> None:
    """Replaces the placeholder in pages (.html, .md) by the facts of their run.

    `again`: the facts of a later command that made the report again. They are shown if `facts` is None, or if the later
    command had another version or commit.
    """
    for page in pages:
        text = page.read_text(encoding="utf-8")
        shown = _html(facts, again) if page.suffix == ".html" else _markdown(facts, again)
        page.write_text(text.replace(MARK, shown, 1), encoding="utf-8", newline="\n")


def _remade(facts: Provenance | None, again: Provenance | None) -> list[tuple[str, str]]:
    """Returns the facts of the later command; [] if it has the version and commit of the run."""
    if again is None or facts is None:
        return describe(again) if again else []
    _, *program = describe(again)
    return [] if program == describe(facts)[1:] else program


def _html(facts: Provenance | None, again: Provenance | None) -> str:
    from markupsafe import escape

    spans = [f"<span>{name} <b>{escape(value)}</b></span>" for name, value in (describe(facts) if facts else [])]
    if remade := _remade(facts, again):
        spans.append(f"<span>report made again: <b>{escape(_joined(remade))}</b></span>")
    command = f"<span>command <code>{escape(_command(facts, again))}</code></span>"
    return f'<p class="facts">{" ".join(spans)}</p>\n<p class="facts">{command}</p>'


def _markdown(facts: Provenance | None, again: Provenance | None) -> str:
    sentences = [_joined(describe(facts))] if facts else []
    if remade := _remade(facts, again):
        sentences.append(f"report made again: {_joined(remade)}")
    sentences.append(f"command: {_command(facts, again)}")
    return markdown_text(" ".join(f"{one[0].upper()}{one[1:]}." for one in sentences).removesuffix("."))


def _command(facts: Provenance | None, again: Provenance | None) -> str:
    return (facts or again or {"command": ""})["command"]


def _joined(facts: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts)
