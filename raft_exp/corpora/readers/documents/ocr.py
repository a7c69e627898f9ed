"""Recognises the text of scanned PDF pages by OCR (rapidocr with the models in its package, on the CPU, one thread).

A page takes about 10 seconds and 1 GB of memory. Lines are ordered by position, one column after the other.
"""

from functools import cache
from typing import Any

from raft_exp.corpora.readers.documents import pdf_columns

VERSION = 1  # raised when the same page gives another text
LIBRARIES = {"rapidocr": "rapidocr", "onnxruntime": "onnxruntime"}  # module -> package
MEMORY_MB = 2048  # least corpus.limits.memory_mb

_DPI = 150
_SURE = 0.5  # least confidence in a line
_SETTINGS = {
    "Global.log_level": "critical",
    "Global.text_score": _SURE,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
}


def page_text(page: Any) -> str:
    """Returns the text of a page; "" if none is recognised. `page`: a PdfPage of pypdfium2, which has no types."""
    found = _engine()(page.render(scale=_DPI / 72).to_numpy())
    if found.boxes is None or not found.txts:
        return ""
    return pdf_columns.in_order([_piece(box, text) for box, text in zip(found.boxes, found.txts, strict=True)])


def _piece(box: Any, text: str) -> pdf_columns.Piece:
    """Returns a recognised line, in pixels, with y coordinates that increase upwards.

    `box`: the corners of the line in pixels from the upper left corner of the page, an array of shape (4, 2).
    """
    (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
    return pdf_columns.Piece(left, -bottom, right, -top, text)


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(params=_SETTINGS)
