"""Reads PDF page by page (pypdfium2). Without OCR, a warning names the pages that are only images."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from raft_exp.corpora.readers.documents import pdf_columns, pdf_forms, pdf_pages, plausible
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import not_read

_CONTROLS = re.compile(r"[\x00-\x01\x03-\x08\x0b-\x1f\x7f\uffff]")  # without pdfium's marks of hyphens
_LEAST = 25  # characters per page; a document with images and fewer characters is taken for a scan
_UNMAPPED = 0.1  # a page with a larger share of glyphs without a character is garbled
_Page = tuple[str, list[str], str]  # text, form fields, and the reason if the text is unusable
_FEW = 50  # least number of characters of a page for which this share is computed


def read(data: bytes, recognise: Callable[[Any], str] | None = None) -> Document:
    """Returns one part for each page with text or form fields, and one for the repeated headers and footers.

    `recognise`: returns the text of a scanned page (OCR); None: scanned pages are not read. Raises UnreadableError for
    a file that is encrypted or damaged, and for one whose text cannot be read without OCR.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        count = len(pdf)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableError("encrypted", "a password is needed to open it") from error
        raise UnreadableError("damaged", f"a PDF that cannot be opened ({error})") from error
    counts: Counter[str] = Counter()
    _open_forms(pdf, counts)
    read_pages = [_page(pdf, number, counts) for number in range(count)]
    recognised = _recognise(pdf, read_pages, recognise) if recognise else []
    garbled = {number: why for number, (_, _, why) in enumerate(read_pages, start=1) if why}
    texts = ["" if why else text for text, _, why in read_pages]
    pages, running = pdf_pages.without_running_lines(pdf_pages.joined(texts))
    pages = ["\n".join(filter(None, [page, *fields])) for page, (_, fields, _) in zip(pages, read_pages, strict=True)]
    _refuse_garbled(garbled, pages)
    images = _refuse_scan(pdf, pages)
    numbered = [(number, text) for number, text in enumerate(pages, start=1)]
    empty = [number for number, text in numbered if not text.strip() and number not in garbled]
    parts = [Part(text, "page", str(number)) for number, text in numbered if text.strip()]
    if running and parts:
        parts.append(Part("\n".join(running), "section", "page headers and footers"))
    apart = [number for number, text in numbered if plausible.single_letters(text)]
    apart = apart if 2 * len(apart) > len(parts) else []  # few such pages show formulas
    warnings = _warnings(empty, images, sorted(garbled), apart, recognised)
    return Document(_title(pdf), parts, warnings + not_read(counts))


def _recognise(pdf: Any, pages: list[_Page], recognise: Callable[[Any], str]) -> list[int]:
    """Replaces the texts of scanned or garbled pages by recognised texts, in place.

    Returns the numbers of these pages, from 1.
    """
    numbers = []
    for place, (text, fields, why) in enumerate(pages):
        if why or (_is_bare(text) and _has_images(pdf, place)):
            found = recognise(pdf[place])
            if not _is_bare(found):
                pages[place] = found, fields, ""
                numbers.append(place + 1)
    return numbers


def _is_bare(text: str) -> bool:
    """Whether a page has fewer than _LEAST characters, without white space."""
    return len("".join(text.split())) < _LEAST


def _open_forms(pdf: Any, counts: Counter[str]) -> None:
    """Initialises the forms of pypdfium2's document. This must be done before pages are loaded."""
    import pypdfium2

    counts["attachment"] += pdf.count_attachments()
    kind = pdf.get_formtype()
    counts["XFA form"] += kind in (pypdfium2.raw.FORMTYPE_XFA_FULL, pypdfium2.raw.FORMTYPE_XFA_FOREGROUND)
    if kind != pypdfium2.raw.FORMTYPE_NONE:
        pdf.init_forms()


def _page(pdf: Any, number: int, counts: Counter[str]) -> _Page:
    """Returns the text of a page, its form fields, and the reason if the text is unusable.

    The text is "" for a page that cannot be loaded.
    """
    import pypdfium2

    try:
        page = pdf[number]
        letters = page.get_textpage()
        text = pdf_columns.by_columns(letters) or letters.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
        fields = pdf_forms.fields(pdf, page, counts)
    except pypdfium2.PdfiumError:
        return "", [], ""
    unmapped = len(_CONTROLS.findall(text))
    if len(text) >= _FEW and unmapped > _UNMAPPED * len(text):
        return "", fields, "glyphs that map to no letter"
    text = _CONTROLS.sub("", text)
    return text, fields, plausible.no_language(text)


def _refuse_garbled(garbled: dict[int, str], pages: Sequence[str]) -> None:
    if garbled and not any(page.strip() for page in pages):
        why = ", ".join(dict.fromkeys(garbled.values()))
        held = f"{len(garbled)} of {len(pages)} pages have {why}"
        raise UnreadableError(
            "garbled",
            f"{held}: the fonts of the file do not map to characters (no ToUnicode); it needs OCR (corpus.ocr=true)",
        )


def _refuse_scan(pdf: Any, pages: Sequence[str]) -> set[int]:
    """Returns the numbers of pages with images and hardly any text.

    Raises UnreadableError if most pages are like this and the document has fewer than _LEAST characters per page.
    """
    bare = {number for number, text in enumerate(pages, start=1) if _is_bare(text)}
    images = {number for number in bare if _has_images(pdf, number - 1)}
    if len("".join("".join(pages).split())) < _LEAST * len(pages) and 2 * len(images) > len(pages):
        raise UnreadableError(
            "no text", f"{len(images)} of {len(pages)} pages are images (a scan?): it needs OCR (corpus.ocr=true)"
        )
    return images


def _has_images(pdf: Any, number: int) -> bool:
    import pypdfium2

    try:
        return any(pdf[number].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    except pypdfium2.PdfiumError:
        return False


def _title(pdf: Any) -> str:
    title: str = pdf.get_metadata_dict().get("Title", "")
    title = re.sub(r"[\x00-\x1f\x7f\ufffe\uffff]", "", title).strip().removeprefix("Microsoft Word - ")
    return "" if title.lower() == "untitled" else title


def _warnings(
    empty: list[int], images: set[int], garbled: list[int], apart: list[int], recognised: list[int]
) -> list[str]:
    scans = [number for number in empty if number in images]
    blank = [number for number in empty if number not in images]
    kinds = [
        (scans, "image and no text (a scan?)"),
        (blank, "no text"),
        (garbled, "unreadable text left out (the fonts do not map to characters; needs OCR)"),
        (apart, "single letters with spaces between instead of words"),
        (recognised, "text recognised by OCR, which may be wrong"),
    ]
    return [f"{what}: page{'s' * (len(numbers) > 1)} {_listed(numbers)}" for numbers, what in kinds if numbers]


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return f"{shown} and {len(numbers) - 10} more" if len(numbers) > 10 else shown
