"""Writes the equations of Office files (OMML, ISO/IEC 29500-1 part 22.1) as LaTeX."""

import unicodedata
from collections.abc import Callable

from raft_exp.corpora.readers.documents.ooxml import Element

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SIGNS = {
    "±": r"\pm", "∓": r"\mp", "×": r"\times", "÷": r"\div", "·": r"\cdot", "⋅": r"\cdot", "≤": r"\leq", "≥": r"\geq",
    "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim", "∝": r"\propto", "∞": r"\infty", "∂": r"\partial",
    "∇": r"\nabla", "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∬": r"\iint", "∭": r"\iiint", "∮": r"\oint",
    "⋃": r"\bigcup", "⋂": r"\bigcap", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup",
    "∩": r"\cap", "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "→": r"\to", "←": r"\leftarrow",
    "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "…": r"\ldots", "⋯": r"\cdots", "′": "'", "−": "-", "∗": "*",
    "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_", "{": r"\{", "}": r"\}", "&": r"\&", "\\": r"\backslash",
}  # fmt: skip
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot", "\u0308": "ddot",
            "\u20d7": "vec", "\u0301": "acute", "\u0300": "grave", "\u030c": "check", "\u0306": "breve"}  # fmt: skip
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln",
              "log", "exp", "lim", "max", "min", "sup", "inf", "det", "dim"}  # fmt: skip
_LINE_END = r" \\ "


def latex(element: Element) -> str:
    """Returns the LaTeX of an equation or of a part of an equation; "" for an empty element."""
    name = element.tag.removeprefix(M)
    if name in _WRITERS:
        return _WRITERS[name](element)
    if name.endswith("Pr") or element.tag in (f"{_W}del", f"{_W}moveFrom"):
        return ""
    if name == "t" or element.tag == f"{_W}t":
        return text(element.text or "")
    return "".join(map(latex, element))


def text(written: str) -> str:
    """Returns a text with signs and Greek letters as LaTeX commands."""
    pieces = [_sign(sign) for sign in written]
    following = [sign.isalnum() for sign in written[1:]] + [False]
    commands = (piece[:1] == "\\" and piece[-1].isalpha() for piece in pieces)
    return "".join(
        f"{piece} " if command and letter else piece
        for piece, command, letter in zip(pieces, commands, following, strict=False)
    )


def _sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    plain = unicodedata.normalize("NFKC", sign)  # mathematical italic letters
    words = unicodedata.name(plain, "").split() if len(plain) == 1 else []
    if words[:1] == ["GREEK"] and words[2:3] == ["LETTER"] and len(words) == 4:
        letter = words[3].lower().replace("lamda", "lambda")
        return plain if letter == "omicron" else "\\" + (letter.capitalize() if words[1] == "CAPITAL" else letter)
    return plain


def _part(element: Element, name: str) -> str:
    """Returns the LaTeX of one argument ("num", "den", "e")."""
    found = element.find(f"{M}{name}")
    return "" if found is None else latex(found).strip()


def _parts(element: Element, name: str = "e") -> list[str]:
    return [latex(inner).strip() for inner in element.findall(f"{M}{name}")]


def _setting(element: Element, name: str, default: str) -> str:
    """Returns a setting, such as the sign of a sum: "" if the file sets it to nothing, `default` if it is missing."""
    found = element.find(f"{M}{element.tag.removeprefix(M)}Pr/{M}{name}")
    return default if found is None else found.get(f"{M}val", "")


def _fraction(element: Element) -> str:
    over, under = _part(element, "num"), _part(element, "den")
    kind = _setting(element, "type", "bar")
    if kind in ("lin", "skw"):
        return f"{over}/{under}"
    return rf"\binom{{{over}}}{{{under}}}" if kind == "noBar" else rf"\frac{{{over}}}{{{under}}}"


def _scripts(element: Element) -> str:
    base, below, above = (_part(element, name) for name in ("e", "sub", "sup"))
    scripts = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    if element.tag == f"{M}sPre":
        return f"{{}}{scripts}{base}"
    return (f"{{{base}}}" if base.startswith("\\frac") or "^" in base or "_" in base else base) + scripts


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return rf"\sqrt{f'[{degree}]' if degree else ''}{{{_part(element, 'e')}}}"


def _nary(element: Element) -> str:
    below, above = _part(element, "sub"), _part(element, "sup")
    scripts = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return f"{text(_setting(element, 'chr', '∫'))}{scripts} {_part(element, 'e')}"


def _delimited(element: Element) -> str:
    begin, end = _setting(element, "begChr", "("), _setting(element, "endChr", ")")
    inner = f" {_setting(element, 'sepChr', '|')} ".join(_parts(element))
    return rf"\left{text(begin) or '.'}{inner}\right{text(end) or '.'}"


def _function(element: Element) -> str:
    name, _, scripts = _part(element, "fName").partition("_")
    written = f"\\{name}" if name in _FUNCTIONS else name
    return f"{written}{'_' * bool(scripts)}{scripts} {_part(element, 'e')}"


def _limit(element: Element) -> str:
    sign = "_" if element.tag == f"{M}limLow" else "^"
    return f"{_part(element, 'e')}{sign}{{{_part(element, 'lim')}}}"


def _accent(element: Element) -> str:
    return rf"\{_ACCENTS.get(_setting(element, 'chr', chr(0x302)), 'hat')}{{{_part(element, 'e')}}}"


def _bar(element: Element) -> str:
    over = _setting(element, "pos", "bot") == "top"
    return rf"\{'over' if over else 'under'}line{{{_part(element, 'e')}}}"


def _brace(element: Element) -> str:
    over = _setting(element, "pos", "bot") == "top"
    return rf"\{'over' if over else 'under'}brace{{{_part(element, 'e')}}}"


def _matrix(element: Element) -> str:
    rows = (" & ".join(_parts(row)) for row in element.findall(f"{M}mr"))
    return rf"\begin{{matrix}}{_LINE_END.join(rows)}\end{{matrix}}"


def _lines(element: Element) -> str:
    return rf"\begin{{aligned}}{_LINE_END.join(_parts(element))}\end{{aligned}}"


_WRITERS: dict[str, Callable[[Element], str]] = {
    "f": _fraction, "sSup": _scripts, "sSub": _scripts, "sSubSup": _scripts, "sPre": _scripts, "rad": _root,
    "nary": _nary, "d": _delimited, "func": _function, "limLow": _limit, "limUpp": _limit, "acc": _accent,
    "bar": _bar, "groupChr": _brace, "m": _matrix, "eqArr": _lines,
}  # fmt: skip
