"""Reads Jupyter notebooks: text cells as Markdown, code cells, and the texts and tables that the code printed."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from raft_exp.corpora.readers.documents import html, markdown
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import not_read

_COLOURS = re.compile(r"\x1b?\[[0-9;]{1,20}m")  # of a terminal
_FENCE = re.compile(r"`{3,}")
_PICTURES = ("image/", "application/vnd.", "application/javascript")


def read(data: bytes) -> Document:
    """Reads the cells in order."""
    text, warnings = decode(data)
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError("damaged", f"not JSON: {error}") from error
    cells = _cells(notebook)
    if cells is None:
        raise UnreadableError("not what its suffix says", "not a notebook: it has no cells")
    counts: Counter[str] = Counter()
    blocks = [block for cell in cells if isinstance(cell, dict) for block in _cell(cell, counts)]
    document = markdown.read_text("\n\n".join(filter(str.strip, blocks)))
    return Document(document.title, document.parts, warnings + not_read(counts))


def _cells(notebook: Any) -> list[Any] | None:
    """Returns the cells of a notebook of version 4, or of version 3 (in worksheets); None for other files."""
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    return [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]


def _cell(cell: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    """Yields the blocks of a cell of any version of the format. Values may have any type."""
    source = _joined(cell.get("source") or cell.get("input") or "")
    counts["picture"] += len(cell.get("attachments") or {})
    if cell.get("cell_type") == "heading":
        yield f"{'#' * min(6, int(cell.get('level') or 1))} {source}"
    elif cell.get("cell_type") != "code":
        yield source
    else:
        yield _fenced(source)
        for output in cell.get("outputs") or []:
            if isinstance(output, dict):
                yield _output(output, counts)


def _output(output: dict[str, Any], counts: Counter[str]) -> str:
    """Returns the text of an output; an HTML table becomes lines of rows.

    Pictures, and other outputs without text, are counted.
    """
    data = output.get("data") or {}
    counts["picture"] += any(kind.startswith(_PICTURES) for kind in data) or "png" in output or "svg" in output
    page, plain = _joined(data.get("text/html") or ""), _joined(data.get("text/plain") or output.get("text") or "")
    if page and ("<table" in page or not plain.strip()):
        return "\n\n".join(part.text for part in html.read_text(page).parts)
    error = ": ".join(str(output[name]) for name in ("ename", "evalue") if output.get(name))
    written = _joined(data.get("text/markdown") or data.get("text/latex") or "")
    text = plain if plain.strip() else error
    if not text and not written and data and not any(kind.startswith(_PICTURES) for kind in data):
        counts["output"] += 1
    return _fenced(_COLOURS.sub("", text)) or written


def _fenced(text: str) -> str:
    """Returns a text as a code block, with a fence that is longer than any fence in the text."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}" if text.strip() else ""


def _joined(lines: Any) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines)
