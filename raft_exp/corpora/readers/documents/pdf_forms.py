"""Reads PDF content that is not page text (pypdfium2): values of form fields, notes, attachments."""

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

_SIGNED = 1 << 1  # bytes of a character in pdfium's UTF-16


def fields(pdf: Any, page: Any, counts: Counter[str]) -> list[str]:
    """Returns the form fields of a page as "name: value", and text annotations, each text once.

    Other annotations with text are counted. `pdf` and `page` are objects of pypdfium2, which has no types. Forms must
    be initialised before the page is loaded.
    """
    import pypdfium2.raw as raw

    lines = []
    for place in range(raw.FPDFPage_GetAnnotCount(page.raw)):
        note = raw.FPDFPage_GetAnnot(page.raw, place)
        if not note:
            continue
        kind = raw.FPDFAnnot_GetSubtype(note)
        if kind == raw.FPDF_ANNOT_WIDGET and pdf.formenv:
            lines.append(_field(pdf.formenv.raw, note))
        elif kind == raw.FPDF_ANNOT_FREETEXT:
            lines.append(_contents(note))
        elif kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET):
            counts["comment"] += bool(_contents(note))
        raw.FPDFPage_CloseAnnot(note)
    return list(dict.fromkeys(filter(None, lines)))


def _field(form: Any, note: Any) -> str:
    """Returns a field as "name: value"; "" for a field without a value, a button or a password."""
    import pypdfium2.raw as raw

    kind = raw.FPDFAnnot_GetFormFieldType(form, note)
    named = (raw.FPDFAnnot_GetFormFieldAlternateName, raw.FPDFAnnot_GetFormFieldName)
    name = next(filter(None, (_string(call, form, note) for call in named)), "field")
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        if not raw.FPDFAnnot_IsChecked(form, note):
            return f"{name}: no" if kind == raw.FPDF_FORMFIELD_CHECKBOX else ""
        value = _string(raw.FPDFAnnot_GetFormFieldExportValue, form, note)
        return f"{name}: {value if value.lower() not in ('', 'on', 'yes', '1') else 'yes'}"
    if kind == raw.FPDF_FORMFIELD_LISTBOX:
        chosen = ", ".join(_chosen(form, note))
        return f"{name}: {chosen}" if chosen else ""
    if kind not in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX):
        return ""
    if raw.FPDFAnnot_GetFormFieldFlags(form, note) & raw.FPDF_FORMFLAG_TEXT_PASSWORD:
        return ""
    value = _string(raw.FPDFAnnot_GetFormFieldValue, form, note)
    return f"{name}: {value}" if value else ""


def _chosen(form: Any, note: Any) -> Iterator[str]:
    import pypdfium2.raw as raw

    for place in range(min(1000, raw.FPDFAnnot_GetOptionCount(form, note))):
        if raw.FPDFAnnot_IsOptionSelected(form, note, place):
            yield _string(raw.FPDFAnnot_GetOptionLabel, form, note, place)


def _contents(note: Any) -> str:
    import pypdfium2.raw as raw

    return _string(raw.FPDFAnnot_GetStringValue, note, b"Contents")


def _string(call: Callable[..., int], *arguments: Any) -> str:
    """Returns a text from the function `call` of pdfium, on one line.

    `call` returns the size of the text in bytes, and writes the text as UTF-16 into a buffer of this size.
    """
    size = call(*arguments, None, 0)
    if size <= _SIGNED:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    call(*arguments, buffer, size)
    text = bytes(buffer)[: size - 2].decode("utf-16-le", errors="replace")
    return " ".join(text.replace("\r", "\n").split())
