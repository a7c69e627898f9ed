"""Writes the formulas of web pages as LaTeX: their TeX source if the page contains it, else converted MathML."""

import re
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents.omml import text as sign_text

if TYPE_CHECKING:
    from bs4.element import Tag

_DEPTH = 100  # levels of a formula
_SPACE = {"mspace", "maligngroup", "malignmark", "none", "mprescripts"}


def latex(math: "Tag") -> str:
    """Returns the LaTeX of a <math> element: its annotation, alttext or converted MathML; "" for an empty element."""
    for annotation in math.find_all("annotation"):
        if "tex" in str(annotation.get("encoding", "")).lower():
            return _bare(annotation.get_text())
    if alternative := _bare(str(math.get("alttext", ""))):
        return alternative
    return _written(math, 0).strip()


def from_xml(data: bytes) -> str | None:
    """Returns the LaTeX of the first <math> element of an XML text, as `latex` does; None if there is none."""
    from bs4 import BeautifulSoup

    text = re.sub(r"<\?xml[^>]*\?>", "", data.decode("utf-8", errors="replace"))
    text = re.sub(r"<(/?)\w+:(?=\w)", r"<\1", text)  # prefixes of names
    math = BeautifulSoup(text, "html.parser").find("math")
    return None if math is None else latex(math)


def _bare(tex: str) -> str:
    """Returns TeX without the wrapper that Wikipedia puts around it."""
    tex = " ".join(tex.split())
    frame = r"{\displaystyle "
    return tex[len(frame) : -1].strip() if tex.startswith(frame) and tex.endswith("}") else tex


def _written(node: "Tag", depth: int) -> str:
    from bs4.element import Tag

    name = node.name
    if name in ("annotation", "annotation-xml") or name in _SPACE or depth > _DEPTH:
        return ""
    inner = [child for child in node.contents if isinstance(child, Tag)]
    if name in ("mi", "mn", "mo", "ms"):
        word = " ".join(node.get_text().split())
        return (
            f"\\{word} " if word in ("sin", "cos", "tan", "ln", "log", "exp", "lim", "max", "min") else sign_text(word)
        )
    if name == "mtext":
        return rf"\text{{{' '.join(node.get_text().split())}}}"
    parts = [_written(child, depth + 1) for child in inner]
    return _combined(name, parts) if inner else sign_text(node.get_text())


def _combined(name: str, parts: list[str]) -> str:
    """Returns the LaTeX of an element from the LaTeX of its children."""
    if len(parts) == 3 and name in ("msubsup", "munderover"):
        return f"{parts[0]}_{{{parts[1]}}}^{{{parts[2]}}}"
    if len(parts) == 2:
        first, second = parts
        forms = {
            "mfrac": rf"\frac{{{first}}}{{{second}}}",
            "msup": f"{first}^{{{second}}}",
            "msub": f"{first}_{{{second}}}",
            "mroot": rf"\sqrt[{second}]{{{first}}}",
            "munder": f"{first}_{{{second}}}",
            "mover": f"{first}^{{{second}}}",
        }
        if name in forms:
            return forms[name]
    if name == "msqrt":
        return rf"\sqrt{{{''.join(parts)}}}"
    if name == "mtable":
        return rf"\begin{{matrix}}{_ROWS.join(parts)}\end{{matrix}}"
    return " & ".join(parts) if name in ("mtr", "mlabeledtr") else "".join(parts)


_ROWS = r" \\ "
