"""Readers of a user's documents, one format per module.

A reader turns bytes into a title and parts, each with a place (page, section, ...). The module of a format has
`read(data) -> Document`. To add a format, add such a module, its suffix and the check of its content in `kinds.py`, and
its library in LIBRARIES. Readers run in child processes (`corpora/documents`), because a file may be malicious.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module, metadata, util

from raft_exp.corpora.readers.documents import ocr
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError
from raft_exp.corpora.readers.documents.kinds import decide
from raft_exp.corpora.readers.documents.plausible import without_embedded

VERSION = 7  # raised when a reader gives other parts for the same bytes

LIBRARIES = {  # module -> package
    "pypdfium2": "pypdfium2",
    "lxml": "lxml",
    "python_calamine": "python-calamine",
    "bs4": "beautifulsoup4",
    "markdown_it": "markdown-it-py",
    "docutils": "docutils",
    "pylatexenc": "pylatexenc",
    "charset_normalizer": "charset-normalizer",
}

_WIDE = re.compile(r"\s{65,}")  # a layout of spaces, or an attack on regular expressions
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")


def missing(libraries: Mapping[str, str] = LIBRARIES) -> list[str]:
    """Returns the packages of `libraries` (module -> package) that are not installed."""
    return [package for module, package in libraries.items() if util.find_spec(module) is None]


def versions(with_ocr: bool = False) -> dict[str, str]:
    """Returns {name: version} of these readers and of their installed libraries, which decide how a file is read."""
    packages = [*LIBRARIES.values(), *(ocr.LIBRARIES.values() if with_ocr else ())]
    lacking = missing(LIBRARIES | ocr.LIBRARIES)
    libraries = {package: metadata.version(package) for package in packages if package not in lacking}
    return {"readers": str(VERSION), **({"ocr": str(ocr.VERSION)} if with_ocr else {}), **libraries}


def read(name: str, data: bytes, with_ocr: bool = False) -> tuple[str, Document]:
    """Reads a document; returns (format, document). `name`: the file name, whose suffix and `data` decide the format.

    `with_ocr`: whether scanned pages of a PDF are read by OCR. Raises UnreadableError, MemoryError, and ImportError for
    a missing library.
    """
    kind, warnings = decide(name, data)
    settings = {"recognise": ocr.page_text} if with_ocr and kind == "pdf" else {}
    try:
        document: Document = import_module(f"{__name__}.{kind}").read(data, **settings)
    except (UnreadableError, MemoryError, ImportError):
        raise
    except RecursionError as error:
        raise UnreadableError("damaged", "nested too deeply") from error
    except Exception as error:  # libraries raise anything on broken files
        raise _damaged(error) from error
    parts, embedded = _cleaned(document.parts)
    if not any(part.text.strip() for part in parts):
        raise UnreadableError("no text", "; ".join(document.warnings) or "it opens, and holds no text")
    left_out = [f"{embedded} embedded file{'s' * (embedded > 1)} (base64) left out"] if embedded else []
    return kind, Document(document.title, parts, warnings + document.warnings + left_out)


def _cleaned(parts: list[Part]) -> tuple[list[Part], int]:
    """Returns the parts without embedded files and soft hyphens, and the number of embedded files.

    A run of white space is cut to 64 characters.
    """
    cleaned, count = [], 0
    for part in parts:
        text, embedded = without_embedded(part.text.replace("\u00ad", ""))  # soft hyphens
        count += embedded
        cleaned.append(replace(part, text=_WIDE.sub(lambda run: run[0][:64], text)))
    return cleaned, count


def _damaged(error: Exception) -> UnreadableError:
    message = (_ADDRESS.sub("the file", str(error)).strip() or type(error).__name__).splitlines()[0]
    return UnreadableError("too much memory" if "memory" in message.lower() else "damaged", message[:200])
