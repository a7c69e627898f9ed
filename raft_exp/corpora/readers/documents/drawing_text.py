"""The text of shapes (DrawingML): paragraphs with list numbers, line breaks, symbols and equations."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.corpora.readers.documents import omml, symbols
from raft_exp.corpora.readers.documents.charts import A
from raft_exp.corpora.readers.documents.docx_lists import number
from raft_exp.corpora.readers.documents.ooxml import ALTERNATE, POWER, Element, chosen

_FORMS = {"arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman",
          "romanUc": "upperRoman"}  # fmt: skip
_MATH = (f"{omml.M}oMath", f"{omml.M}oMathPara")


class Paragraphs:
    """Reads the paragraphs of shapes and cells."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def text(self, shape: Element) -> str:
        """Returns the paragraphs, one per line."""
        return "\n".join(filter(None, self._lines(shape))).strip()

    def _lines(self, shape: Element) -> Iterator[str]:
        counters = dict[int, int]()  # by level of the list
        for paragraph in shape.iter(f"{A}p"):
            text = "".join(self._pieces(paragraph)).strip()
            label = _label(paragraph, counters) if text else ""
            yield f"{label} {text}" if label else text

    def _pieces(self, element: Element) -> Iterator[str]:
        for inner in element:
            if inner.tag in (f"{A}r", f"{A}fld"):
                yield self._run(inner)
            elif inner.tag == f"{A}br":
                yield "\n"
            elif inner.tag in _MATH:
                text = omml.latex(inner).strip()
                self._counts["equation"] += not text
                yield f"${text}$" if text else ""
            elif inner.tag == ALTERNATE:
                form = chosen(inner)
                yield from () if form is None else self._pieces(form)
            elif not inner.tag.endswith("Pr"):
                yield from self._pieces(inner)

    def _run(self, run: Element) -> str:
        written = run.find(f"{A}t")
        font = run.find(f"{A}rPr/{A}latin")
        name = "" if font is None else font.get("typeface", "")
        text, unknown = symbols.mapped(name, "" if written is None else written.text or "")
        self._counts["symbol"] += unknown
        settings = run.find(f"{A}rPr")
        raised = settings is not None and settings.get("baseline", "0").rstrip("0%").isdecimal()
        return f"^{text}" if raised and POWER.fullmatch(text.strip()) else text.replace("\v", "\n")


def _label(paragraph: Element, counters: dict[int, int]) -> str:
    """Returns the number of a list item and advances its counter; "" for other paragraphs, which reset the counter."""
    settings = paragraph.find(f"{A}pPr")
    level = settings.get("lvl", "0") if settings is not None else "0"
    place = int(level) if level.isdecimal() else 0
    given = None if settings is None else settings.find(f"{A}buAutoNum")
    for deeper in [other for other in counters if other > place or (given is None and other == place)]:
        del counters[deeper]
    if given is None:
        return ""
    start = given.get("startAt", "1")
    counters[place] = counters[place] + 1 if place in counters else int(start) if start.isdecimal() else 1
    kind = given.get("type", "arabicPeriod")
    form = next((form for name, form in _FORMS.items() if kind.startswith(name)), "decimal")
    before, after = (
        "(" if kind.endswith("ParenBoth") else "",
        ")" if "Paren" in kind else "." if "Period" in kind else "",
    )
    return f"{before}{number(counters[place], form)}{after}"
