"""What README.md and the pages of docs/ tell a reader to run: files, changes to files, and commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FILE = re.compile(r"^`(?P<name>[\w./-]+)`:\n+```\w+\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
_DIFF = re.compile(r"^```diff\n--- (?P<name>\S+)\n(?P<hunks>.*?)^```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(?P<text>.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:python -m raft_exp|make )[^`\n]*)`")
_COMMAND = re.compile(r"\s*(python -m raft_exp\S*( .*)?|make( .*)?|python make_\w+\.py)$")


@dataclass(frozen=True)
class Line:
    """A command of a page."""

    page: str
    text: str

    def words(self) -> list[str]:
        """The words as a shell passes them on, without a comment behind them."""
        return shlex.split(self.text, comments=True)


def pages() -> list[Path]:
    """README.md and all pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> Iterator[Line]:
    """The lines `python -m raft_exp...` and `make ...` of a page, those inside sentences too."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    for block in _FENCE.finditer(text):
        for line in block["text"].replace("\\\n", " ").splitlines():
            if match := _COMMAND.fullmatch(line.strip().removesuffix("&").strip()):
                yield Line(name, match[1])
    for inline in _INLINE.findall(_FENCE.sub("", text)):
        yield Line(name, inline)


def files(page: Path) -> dict[str, str]:
    """The files that a page shows: name -> content."""
    return {match["name"]: match["text"] for match in _FILE.finditer(page.read_text(encoding="utf-8"))}


def write(page: Path, folder: Path) -> None:
    """Writes the files of a page into a folder, and makes its changes to files there.

    Raises AssertionError where the lines that a change is about do not stand in the file, or stand there twice.
    """
    for name, text in files(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for match in _DIFF.finditer(page.read_text(encoding="utf-8")):
        file = folder / match["name"]
        text = file.read_text(encoding="utf-8")
        for hunk in re.split(r"^@@\n", match["hunks"], flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] in " -")
            new = "".join(line[1:] for line in lines if line[0] in " +")
            assert text.count(old) == 1, f"{page.name}: {match['name']} has {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
