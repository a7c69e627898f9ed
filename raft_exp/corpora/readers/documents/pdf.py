"""Reads PDF page by page (pypdfium2), without OCR: pages of images alone are named in a warning."""

import re

from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError

_HYPHENATED = re.compile("[\x02\ufffe]\n?")  # pdfium's mark of a hyphen at a line end
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_LEAST = 25  # letters a page; with fewer, a document with images is taken for a scan


def read(data: bytes) -> Document:
    """One part for each page with text."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        count = len(pdf)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableError("encrypted", "a password is needed to open it") from error
        raise UnreadableError("damaged", f"no PDF that opens ({error})") from error
    pages = [_page(pdf, number) for number in range(count)]
    bare = {number for number, text in enumerate(pages, start=1) if len("".join(text.split())) < _LEAST}
    images = {number for number in bare if _has_images(pdf, number - 1)}
    if len("".join("".join(pages).split())) < _LEAST * count and 2 * len(images) > count:
        raise UnreadableError("no text", f"{len(images)} of {count} pages are images (a scan?): it needs OCR")
    empty = [number for number, text in enumerate(pages, start=1) if not text.strip()]
    parts = [Part(text, "page", str(number)) for number, text in enumerate(pages, start=1) if text.strip()]
    return Document(_title(pdf), parts, _warnings(empty, images))


def _page(pdf: object, number: int) -> str:
    """The text of a page; "" for one that cannot be loaded, which is reported as empty."""
    import pypdfium2

    try:
        text: str = pdf[number].get_textpage().get_text_range()  # type: ignore[index]
    except pypdfium2.PdfiumError:
        return ""
    return _CONTROLS.sub("", _HYPHENATED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def _has_images(pdf: object, number: int) -> bool:
    import pypdfium2

    try:
        return any(pdf[number].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))  # type: ignore[index]
    except pypdfium2.PdfiumError:
        return False


def _title(pdf: object) -> str:
    title: str = pdf.get_metadata_dict().get("Title", "")  # type: ignore[attr-defined]
    title = _CONTROLS.sub("", title).strip().removeprefix("Microsoft Word - ")
    return "" if title.lower() == "untitled" else title


def _warnings(empty: list[int], images: set[int]) -> list[str]:
    scans = [number for number in empty if number in images]
    blank = [number for number in empty if number not in images]
    kinds = [(scans, "image and no text (a scan?)"), (blank, "no text")]
    return [f"{what}: page{'s' * (len(numbers) > 1)} {_listed(numbers)}" for numbers, what in kinds if numbers]


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return f"{shown} and {len(numbers) - 10} more" if len(numbers) > 10 else shown
