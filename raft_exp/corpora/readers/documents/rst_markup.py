"""Parses reStructuredText into docutils' tree. Sphinx directives and roles are registered by name."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils.nodes import Element, Node

_DIRECTIVE = re.compile(r"^[ \t]*\.\. +(?:\|[^|\n]{1,80}\| +)?([\w:.+-]{1,60}?)::(?=\s|$)", re.MULTILINE)
_ROLE = re.compile(r":([a-zA-Z][\w:.+-]{0,40}):`|`:([a-zA-Z][\w:.+-]{0,40}):")
_TARGET = re.compile(r"\s*<[^<>]*>$")  # `title <target>`
_CONTENTS = ("toctree", "contents", "index", "tabularcolumns", "currentmodule", "module", "highlight")  # no text
_CODE = ("code-block", "sourcecode", "prompt", "ipython", "productionlist", "graphviz", "mermaid", "plantuml")
_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "syntax_highlight": "none",
    "doctitle_xform": False,
    "smart_quotes": False,
    "_disable_config": True,
}


def tree(text: str, counts: Counter[str]) -> "Element":
    """Returns the tree of a text. Included files are not opened; text generated from other files is counted."""
    from docutils.core import publish_doctree

    _introduce(text, counts)
    longest = max(map(len, text.split("\n")))  # docutils refuses longer lines, and longer texts of a substitution
    return publish_doctree(text, settings_overrides={**_SETTINGS, "line_length_limit": max(10_000, longest)})


def name(node: "Node | None") -> str:
    """Returns the name of an element ("paragraph"); "text" for a text node, "" for None."""
    return "" if node is None else str(node.tagname).lstrip("#")


INLINE = {  # elements whose pieces are joined without a blank
    *("paragraph", "term", "title", "subtitle", "line", "caption", "rubric", "classifier", "attribution", "field_name"),
    *("emphasis", "strong", "reference", "inline", "title_reference", "subscript", "superscript", "abbreviation"),
    *("acronym", "generated", "substitution_reference", "option", "option_string", "option_argument", "literal"),
}


def disabled(message: "Element") -> str:
    """Returns "included file" or "raw block" if docutils reports that it did not read one; "" for other messages."""
    text = message.children[0].astext()[:200] if message.children else ""
    if not any(word in text for word in (" disabled", " deactivated")):
        return ""
    return "raw block" if '"raw" directive' in text else "included file"


def _introduce(text: str, counts: Counter[str]) -> None:
    """Registers the directives and roles of a text that docutils does not know."""
    from docutils.parsers.rst import directives, roles
    from docutils.parsers.rst.languages import en

    for found in sorted(set(_DIRECTIVE.findall(text))):
        if found.lower() not in en.directives:
            directives.register_directive(found, _directive(found, counts))
    for found in sorted({first or second for first, second in _ROLE.findall(text)}):
        if found.lower() not in en.roles:
            roles.register_local_role(found.lower(), _role)


def _role(role: str, raw: str, text: str, *_others: object, **_more: object) -> "tuple[list[Node], list[Node]]":
    """Returns the text of an unknown role without its target, and no messages. docutils calls this function."""
    from docutils import nodes

    return [nodes.inline(raw, _TARGET.sub("", text.lstrip("!~")))], []


class _AnyOption(dict[str, object]):
    """Accepts every option of a directive unchanged."""

    def __missing__(self, key: str) -> object:
        return str

    def __bool__(self) -> bool:
        return True


def _directive(directive: str, counts: Counter[str]) -> Any:
    """Returns a docutils class for a directive of this name. Its argument and its content are read as text.

    Directives that show text of other files are counted instead; those of _CONTENTS are left out.
    """
    from docutils import nodes
    from docutils.parsers.rst import Directive

    short = directive.rpartition(":")[2].lower()

    class Unknown(Directive):
        has_content, optional_arguments, final_argument_whitespace, option_spec = True, 1, True, _AnyOption()

        def run(self) -> "list[Node]":
            if short.startswith("auto") or short in ("literalinclude", "download"):
                counts["text of another file"] += 1
                return []
            if short in _CODE:
                return [nodes.literal_block("", "\n".join(self.content))]
            return [] if short in _CONTENTS else list(self._parts())

        def _parts(self) -> "Iterator[Node]":
            if self.arguments:
                texts, messages = self.state.inline_text(" ".join(self.arguments[0].split()), self.lineno)
                yield nodes.paragraph("", "", *texts)
                yield from messages
            holder = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, holder)
            yield from holder.children

    return Unknown
