"""Determines the format of a file. Its first bytes and zip members have priority over its suffix."""

import io
import zipfile
from pathlib import PurePosixPath

from raft_exp.corpora.readers.documents.document import Reason, UnreadableError

SUFFIXES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".dotx": "docx",
    ".dotm": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".ppsx": "pptx",
    ".ppsm": "pptx",
    ".potx": "pptx",
    ".potm": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xltx": "xlsx",
    ".odt": "odt",
    ".epub": "epub",
    ".rtf": "rtf",
    ".eml": "eml",
    ".ipynb": "ipynb",
    ".xml": "xml",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".rst": "rst",
    ".tex": "tex",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}

CONVERTED = {".doc": ".docx", ".dot": ".docx", ".ppt": ".pptx", ".pps": ".pptx", ".xls": ".xlsx"}  # before 2007

_TEXTS = {"html", "markdown", "text", "csv", "json", "eml", "ipynb", "xml", "rst", "tex"}
_OWN = ("csv", "json", "eml", "ipynb", "xml")  # formats of files that may begin like an HTML page
_READ_ANYWAY = {"pdf": "a PDF file", "docx": "a Word file", "pptx": "a PowerPoint file", "html": "an HTML page"}
_MAGIC = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "gzipped: unpack it"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "an RTF file"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a parquet file"),
    (b"SQLite format", "a database"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MEMBERS = {"xlsx": "xl/workbook.xml", "epub": "META-INF/container.xml", "odt": "content.xml"}  # in every such zip file
_MOST_UNPACKED = 1 << 30  # bytes


def by_suffix(name: str) -> str | None:
    """Returns the format of a file name's suffix; None for a suffix without a reader."""
    return SUFFIXES.get(PurePosixPath(name).suffix.lower())


def unsupported(name: str) -> UnreadableError:
    """Returns the error for a file whose suffix has no reader, with a remedy if there is one."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in CONVERTED:
        today = CONVERTED[suffix]
        return UnreadableError("unsupported", f"an Office file from before 2007; open it and save it as {today}")
    return UnreadableError(
        "unsupported", f"no reader for this kind of file; supported suffixes: {', '.join(sorted(SUFFIXES))}"
    )


def decide(name: str, data: bytes) -> tuple[str, list[str]]:
    """Returns the format of a file, and a list with a warning if its suffix names another format.

    Raises UnreadableError for a file that is empty, encrypted, damaged, too large when unpacked, or of a format without
    a reader, and for content that does not fit the suffix.
    """
    promised = by_suffix(name)
    if promised is None:
        raise unsupported(name)
    if not data.strip():
        raise UnreadableError("empty", "nothing but white space" if data else "0 bytes")
    actual = _by_content(data, promised)
    if actual == promised:
        return promised, []
    return actual, [f"is {_READ_ANYWAY[actual]} and was read as one"]


def _by_content(data: bytes, promised: str) -> str:
    if data.startswith(b"%PDF-") or (promised == "pdf" and b"%PDF-" in data[:1024]):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data, promised)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableError("encrypted", "a password is needed to open it")
        raise UnreadableError("unsupported", "an Office file from before 2007; save it as .docx, .pptx or .xlsx")
    for start, what in _MAGIC:
        if data.startswith(start) and not (promised == "rtf" and start == b"{\\rtf"):
            raise UnreadableError("not what its suffix says", f"it is {what}")
    if (
        promised in _OWN
        or (promised == "rtf" and data.lstrip().startswith(b"{\\rtf"))
        or (promised in _TEXTS and not _is_page(data))
    ):
        return promised
    if _is_page(data):
        return "html"
    raise UnreadableError("not what its suffix says", f"not a {promised} file: it begins with {data[:12]!r}")


def _is_page(data: bytes) -> bool:
    return data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _zipped(data: bytes, promised: str) -> str:
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise UnreadableError("damaged", f"a zip archive that is cut off or broken ({error})") from error
    folders = {member.filename.partition("/")[0] for member in members}
    kind = next((kind for name, kind in (("word", "docx"), ("ppt", "pptx")) if name in folders), None)
    names = {member.filename for member in members}
    if kind is None and promised in _MEMBERS and _MEMBERS[promised] in names:
        kind = promised
    if kind is None:
        what = "an Excel file: save its sheets as CSV" if "xl" in folders else "a zip archive: unpack it"
        reason: Reason = (
            "damaged" if promised in ("docx", "pptx", *_MEMBERS) and "xl" not in folders else "not what its suffix says"
        )
        raise UnreadableError(reason, f"it is {what}")
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableError("encrypted", "a password is needed to open it")
    if (unpacked := sum(member.file_size for member in members)) > _MOST_UNPACKED:
        raise UnreadableError("too large", f"it unpacks to {unpacked / 2**20:,.0f} MiB")
    return kind
