"""Reads PowerPoint files (python-pptx): one part a slide, with its notes."""

import io
from collections.abc import Iterator
from typing import Any

from raft_exp.corpora.readers.documents.document import Document, Part


def read(data: bytes) -> Document:
    """Reads text frames and tables, also in groups, in the order of the slide; then the notes."""
    import pptx

    file = pptx.Presentation(io.BytesIO(data))
    parts = []
    for number, slide in enumerate(file.slides, start=1):
        blocks = [text for shape in _shapes(slide.shapes) if (text := _text(shape).strip())]
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) and notes.text.strip():
            blocks.append(f"Notes: {_plain(notes.text).strip()}")
        if blocks:
            parts.append(Part("\n\n".join(blocks), "slide", str(number)))
    first = parts[0].text.partition("\n")[0] if parts else ""
    return Document((file.core_properties.title or "").strip().replace("PowerPoint Presentation", "") or first, parts)


def _shapes(shapes: Any) -> Iterator[Any]:
    waiting = list(reversed(list(shapes)))
    while waiting:
        shape = waiting.pop()
        if hasattr(shape, "shapes"):
            waiting.extend(reversed(list(shape.shapes)))
        else:
            yield shape


def _text(shape: Any) -> str:
    if shape.has_text_frame:
        return _plain(shape.text_frame.text)
    if getattr(shape, "has_table", False):
        rows = ([" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows)
        return "\n".join(" | ".join(cells) for cells in rows if any(cells))
    return ""


def _plain(text: str) -> str:
    return text.replace("\v", "\n")
