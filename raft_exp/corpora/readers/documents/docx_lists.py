"""Computes the numbers of list items and numbered headings in Word files, as Word counts them."""

from dataclasses import dataclass

from raft_exp.corpora.readers.documents.docx_styles import Styles, W, is_on, value
from raft_exp.corpora.readers.documents.ooxml import Element

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_BULLET = "-"
_MOST_LETTERS = 26 * 30  # Word writes at most 30 equal letters; a file could name any number


@dataclass(frozen=True)
class _Level:
    start: int
    form: str  # decimal, lowerRoman, bullet, ...
    text: str  # "%1.%2"
    style: str  # of the paragraphs that stand at this level
    all_decimal: bool

    @classmethod
    def of(cls, element: Element) -> "_Level":
        start = value(element, f"{W}start")
        form = value(element, f"{W}numFmt") or "decimal"
        text, style = value(element, f"{W}lvlText"), value(element, f"{W}pStyle")
        return cls(int(start) if start.isdecimal() else 0, form, text, style, is_on(element.find(f"{W}isLgl")))


class Lists:
    """The lists of a file and their counters."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        forms = [] if root is None else root.findall(f"{W}abstractNum")
        self._forms = {form.get(f"{W}abstractNumId", ""): form for form in forms}
        self._lists = {item.get(f"{W}numId", ""): item for item in ([] if root is None else root.findall(f"{W}num"))}
        self._levels: dict[str, tuple[str, dict[int, _Level]]] = {}  # list id -> (form id, levels)
        self._counters: dict[str, dict[int, int]] = {}  # by form id: lists of the same form share their counters
        self._restarted: set[tuple[str, int]] = set()

    def label(self, paragraph: Element) -> str:
        """Returns the number or bullet of a paragraph ("2.", "iv)", "-"), and advances the counter of the list.

        Returns "" for a paragraph without number and bullet.
        """
        list_, level, style = self._styles.numbering(paragraph)
        if list_ in ("", "0") or list_ not in self._lists:
            return ""
        form, levels = self._of(list_)
        level = next((place for place, known in levels.items() if style and known.style == style), level)
        if level not in levels:
            return ""
        counters = self._counters.setdefault(form, {})
        self._count(counters, levels, list_, level)
        return _written(levels, counters, level)

    def _count(self, counters: dict[int, int], levels: dict[int, _Level], number: str, level: int) -> None:
        restart = value(self._override(number, level), f"{W}startOverride")
        if restart.isdecimal() and (number, level) not in self._restarted:
            self._restarted.add((number, level))
            counters[level] = int(restart)
        else:
            counters[level] = counters[level] + 1 if level in counters else levels[level].start
        for deeper in [place for place in counters if place > level]:
            del counters[deeper]
        for above in range(level):
            counters.setdefault(above, levels[above].start if above in levels else 1)

    def _override(self, number: str, level: int) -> Element | None:
        overrides = self._lists[number].findall(f"{W}lvlOverride")
        return next((item for item in overrides if item.get(f"{W}ilvl", "") == str(level)), None)

    def _of(self, number: str) -> tuple[str, dict[int, _Level]]:
        if number not in self._levels:
            form = value(self._lists[number], f"{W}abstractNumId")
            linked = value(self._forms.get(form), f"{W}numStyleLink")
            if (other := self._styles.list_of_style(linked)) in self._lists and linked:
                form = value(self._lists[other], f"{W}abstractNumId")
            elements = [] if form not in self._forms else self._forms[form].findall(f"{W}lvl")
            elements += self._lists[number].findall(f"{W}lvlOverride/{W}lvl")
            places = ((element.get(f"{W}ilvl", ""), element) for element in elements)
            levels = {int(place): _Level.of(element) for place, element in places if place.isdecimal()}
            self._levels[number] = form, levels
        return self._levels[number]


def _written(levels: dict[int, _Level], counters: dict[int, int], level: int) -> str:
    own = levels[level]
    if own.form in ("bullet", "none") or not own.text:
        return _BULLET if own.form == "bullet" else ""
    text = own.text
    for place, count in counters.items():
        form = levels[place].form if place in levels else "decimal"
        text = text.replace(f"%{place + 1}", number(count, "decimal" if own.all_decimal else form))
    return text.strip()


def number(count: int, form: str) -> str:
    """Returns a count in the number format `form` (lowerRoman, upperLetter, decimalZero, ...); in digits for others.

    Counts above 780 in letters and above 3999 in Roman numerals are in digits too.
    """
    if form in ("lowerRoman", "upperRoman"):
        written = roman(count)
        return written.upper() if form == "upperRoman" else written
    if form in ("lowerLetter", "upperLetter") and 0 < count <= _MOST_LETTERS:
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters.upper() if form == "upperLetter" else letters
    return f"{count:02}" if form == "decimalZero" else str(count)


def roman(count: int) -> str:
    """Returns a number from 1 to 3999 in lower-case Roman numerals; other numbers in digits."""
    if not 0 < count < 4000:
        return str(count)
    written = ""
    for amount, sign in _ROMAN:
        times, count = divmod(count, amount)
        written += sign * times
    return written
