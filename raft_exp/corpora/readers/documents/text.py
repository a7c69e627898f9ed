"""Reads plain text: paragraphs, separated by blank lines."""

import re

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part

_BLANK = re.compile(r"\n[^\S\n]*\n\s*")


def read(data: bytes) -> Document:
    """Returns one part per paragraph, numbered from 1."""
    text, warnings = decode(data)
    paragraphs = _BLANK.split(text.strip("\n"))
    parts = [Part(paragraph, "paragraph", str(number)) for number, paragraph in enumerate(paragraphs, start=1)]
    return Document("", [part for part in parts if part.text.strip()], warnings)
