"""Styles of Word files: which paragraphs are headings, and which belong to a numbered list."""

import re
from collections.abc import Iterator

from raft_exp.corpora.readers.documents.ooxml import Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{W}val"
_HEADING = re.compile(r"(?i)heading ?([1-9])")
_OFF = ("0", "false", "off", "none")


def is_on(setting: Element | None) -> bool:
    """Whether an on/off setting exists and is on."""
    return setting is not None and setting.get(VAL, "true") not in _OFF


def value(element: Element | None, path: str) -> str:
    """Returns the value of a setting below an element; "" if it is missing."""
    found = None if element is None else element.find(path)
    return "" if found is None else found.get(VAL, "")


class Styles:
    """The paragraph styles of a Word file. A style inherits missing settings from the style that it is based on."""

    def __init__(self, root: Element | None) -> None:
        styles = [] if root is None else root.findall(f"{W}style")
        self._styles = {style.get(f"{W}styleId", ""): style for style in styles}
        paragraphs = (style for style in styles if style.get(f"{W}type", "") == "paragraph")
        defaults = (
            style.get(f"{W}styleId", "") for style in paragraphs if style.get(f"{W}default", "") in ("1", "true")
        )
        self._default = next(defaults, "")

    def level(self, paragraph: Element) -> int:
        """Returns the level of a heading (1 for a title or the highest heading); 0 for other paragraphs."""
        if outlined := value(paragraph, f"{W}pPr/{W}outlineLvl"):
            return _outline_level(outlined)
        name = value(paragraph, f"{W}pPr/{W}pStyle")
        for style in self._chain(name):
            named = value(style, f"{W}name")
            if outlined := value(style, f"{W}pPr/{W}outlineLvl"):
                return _outline_level(outlined)
            if heading := _HEADING.fullmatch(named):
                return int(heading[1])
            if named.lower() == "title":
                return 1
        heading = None if name in self._styles else _HEADING.fullmatch(name)
        return int(heading[1]) if heading else 0

    def numbering(self, paragraph: Element) -> tuple[str, int, str]:
        """Returns a paragraph's list id ("" for no list), the level from 0, and the id of the style that sets them.

        The id of the style is "" if the paragraph itself sets them.
        """
        own = paragraph.find(f"{W}pPr/{W}numPr")
        number, level = value(own, f"{W}numId"), value(own, f"{W}ilvl")
        if number:
            return number, _digit(level), ""
        name = value(paragraph, f"{W}pPr/{W}pStyle")
        for style in self._chain(name):
            given = style.find(f"{W}pPr/{W}numPr")
            if given is not None and (number := value(given, f"{W}numId")):
                return number, _digit(level or value(given, f"{W}ilvl")), style.get(f"{W}styleId", "")
        return "", 0, ""

    def list_of_style(self, name: str) -> str:
        """Returns the id of the list that a list style names; "" if there is none."""
        return value(self._styles.get(name), f"{W}pPr/{W}numPr/{W}numId")

    def _chain(self, name: str) -> Iterator[Element]:
        """Yields a style and the styles that it is based on, nearest first."""
        seen = set[str]()
        name = name or self._default
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = value(self._styles[name], f"{W}basedOn")


def _outline_level(text: str) -> int:
    return int(text) + 1 if text in list("012345678") else 0


def _digit(text: str) -> int:
    return int(text) if text in list("012345678") else 0
