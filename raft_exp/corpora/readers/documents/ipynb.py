"""Reads Jupyter notebooks: text cells as Markdown, code with its lines, and the texts that it printed."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from raft_exp.corpora.readers.documents import markdown
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import not_read


def read(data: bytes) -> Document:
    """Reads the cells in their order."""
    text, warnings = decode(data)
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError("damaged", f"no JSON: {error}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise UnreadableError("not what its suffix says", "not a notebook: it has no cells")
    counts: Counter[str] = Counter()
    blocks = [block for cell in notebook["cells"] for block in _cell(cell, counts)]
    document = markdown.read_text("\n\n".join(blocks))
    return Document(document.title, document.parts, warnings + not_read(counts))


def _cell(cell: Any, counts: Counter[str]) -> Iterator[str]:
    """The blocks of a cell of any version of the format; values may be of any type."""
    source = _joined(cell.get("source", ""))
    if cell.get("cell_type") != "code":
        yield source
        return
    yield f"```\n{source}\n```" if source.strip() else ""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = (
            _joined(output.get("text", ""))
            or _joined(data.get("text/plain", ""))
            or _joined(data.get("text/latex", ""))
        )
        text = text or ": ".join(filter(None, (output.get("ename", ""), output.get("evalue", ""))))
        counts["picture"] += any(kind.startswith("image/") for kind in data)
        yield f"```\n{text.rstrip()}\n```" if text.strip() else ""


def _joined(lines: Any) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines)
