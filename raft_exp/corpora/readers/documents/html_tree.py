"""The visible nodes of a web page: without scripts, navigation, line numbers, and duplicate formulas."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4.element import PageElement, Tag

_FEW = 8  # nodes of raised text that may be a number
_POWER = re.compile(r"[-−+]?\d{1,4}")
_UNSEEN = {
    "script",
    "style",
    "template",
    "noscript",
    "head",
    "nav",
    "button",
    "rp",
}
_WHOLE = {"math", "svg", "iframe", "object", "select"}  # elements that are read or counted as one
_COPIES = {"katex-html", "mjx-math", "mathjax", "mathjax_display", "mathjax_preview", "mathjax_svg"}  # formula copies
_LINE_NUMBERS = {
    "linenos",
    "lineno",
    "linenodiv",
    "linenumber",
    "line-numbers",
    "gutter",
    "hljs-ln-numbers",
    "blob-num",
}
_CODE_TABLES = {"js-file-line-container", "hljs-ln", "highlight", "code"}  # one line of code a row, without <pre>


def events(tree: "Tag") -> "Iterator[tuple[PageElement, bool]]":
    """Yields (node, False) at the start of each visible node, and (tag, True) at the end of each tag.

    Tags of _WHOLE and scripts with TeX are yielded at the start only, without the nodes inside. A stack replaces
    recursion, because deep nesting would exceed the recursion limit.
    """
    from bs4.element import Tag

    waiting: list[tuple[PageElement, bool]] = [(node, False) for node in reversed(tree.contents)]
    while waiting:
        node, ends = waiting.pop()
        if not isinstance(node, Tag) or ends:
            yield node, ends
        elif node.name in _WHOLE or _is_tex(node):
            if node.name == "math" or not _hidden(node):
                yield node, False
        elif node.name not in _UNSEEN and not _hidden(node):
            yield node, False
            waiting.append((node, True))
            waiting.extend((inner, False) for inner in reversed(node.contents))


def nodes(tag: "Tag") -> "Iterator[PageElement]":
    """Yields the nodes inside a tag, in order.

    bs4's own iterator is slow in deep pages, because it first looks for the last node.
    """
    from bs4.element import Tag

    waiting: list[PageElement] = list(reversed(tag.contents))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Tag):
            waiting.extend(reversed(node.contents))


def _classes(tag: "Tag") -> set[str]:
    given = tag.get("class", "")
    return {name.lower() for name in (given.split() if isinstance(given, str) else given or ())}


def _is_tex(tag: "Tag") -> bool:
    """Whether a tag contains the TeX source of a formula, as MathJax's scripts do."""
    return tag.name == "script" and str(tag.get("type", "")).startswith("math/tex")


def _hidden(tag: "Tag") -> bool:
    if tag.has_attr("hidden") or tag.name == "mjx-math":
        return True
    if (classes := _classes(tag)) & _COPIES or (classes & _LINE_NUMBERS and not _has_letters(tag)):
        return True
    style = str(tag.get("style", "")).replace(" ", "").lower()
    return "display:none" in style and tag.find("math") is None  # MathML is hidden where a picture shows the formula


def _has_letters(tag: "Tag") -> bool:
    return any(map(str.isalpha, tag.get_text()[:1000]))


def is_code(table: "Tag") -> bool:
    """Whether a table shows code, one line per row."""
    return bool(_classes(table) & _CODE_TABLES) and table.find("pre") is None and table.find("th") is None


def raised(tag: "Tag") -> tuple[str, str]:
    """Returns the marks before and after raised text: "^" before a power, brackets around the number of a note.

    Both are "" for other text.
    """
    inner = list(islice(nodes(tag), _FEW))  # no more: tags may be nested without end
    text = "" if len(inner) == _FEW else tag.get_text().strip()
    if not _POWER.fullmatch(text):
        return "", ""
    above = tag.parent
    in_link = above is not None and above.name == "a"
    if in_link and above is not None and is_mark(above):
        return "", ""
    return (
        ("[", "]") if in_link or any(getattr(node, "name", "") == "a" for node in inner) or is_mark(tag) else ("^", "")
    )


def is_mark(link: "Tag") -> bool:
    """Whether a link is the reference mark of a note (in e-books and in Pandoc's HTML)."""
    return "noteref" in f"{link.get('epub:type', '')} {link.get('role', '')}" or "footnote-ref" in _classes(link)
