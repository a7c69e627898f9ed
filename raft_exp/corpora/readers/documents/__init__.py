"""Readers of a user's own documents, one format a file: bytes in, a title and parts that know their place out.

Each file has `read(data) -> Document`. A new format is one such file, its suffix in `kinds.py` and its library in
LIBRARIES. These run in a process of their own (`corpora/documents`): a file may be made to hurt.
"""

import re
from dataclasses import replace
from importlib import import_module, metadata, util

from raft_exp.corpora.readers.documents.document import Document, UnreadableError
from raft_exp.corpora.readers.documents.kinds import decide

VERSION = 2  # raised when a reader gives other parts of the same bytes

LIBRARIES = {  # what is imported -> what is installed
    "pypdfium2": "pypdfium2",
    "docx": "python-docx",
    "pptx": "python-pptx",
    "bs4": "beautifulsoup4",
    "markdown_it": "markdown-it-py",
    "charset_normalizer": "charset-normalizer",
}

_WIDE = re.compile(r"\s{65,}")  # a layout of spaces, or an attack
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")


def missing() -> list[str]:
    """The libraries of the readers that are not installed."""
    return [package for module, package in LIBRARIES.items() if util.find_spec(module) is None]


def versions() -> dict[str, str]:
    """What decides how a file is read; another version may read it otherwise."""
    found = {package: metadata.version(package) for package in LIBRARIES.values() if package not in missing()}
    return {"readers": str(VERSION), **found}


def read(name: str, data: bytes) -> tuple[str, Document]:
    """The format and the document; `name` is the file's, for its suffix. Raises UnreadableError, and MemoryError."""
    kind, warnings = decide(name, data)
    try:
        document: Document = import_module(f"{__name__}.{kind}").read(data)
    except (UnreadableError, MemoryError, ImportError):
        raise
    except RecursionError as error:
        raise UnreadableError("damaged", "nested too deeply") from error
    except Exception as error:  # whatever a library meets in a broken file
        raise _damaged(error) from error
    parts = [replace(part, text=_WIDE.sub(lambda run: run[0][:64], part.text)) for part in document.parts]
    if not any(part.text.strip() for part in parts):
        raise UnreadableError("no text", "; ".join(document.warnings) or "it opens, and holds no text")
    return kind, Document(document.title, parts, warnings + document.warnings)


def _damaged(error: Exception) -> UnreadableError:
    told = (_ADDRESS.sub("the file", str(error)).strip() or type(error).__name__).splitlines()[0]
    return UnreadableError("too much memory" if "memory" in told.lower() else "damaged", told[:200])
