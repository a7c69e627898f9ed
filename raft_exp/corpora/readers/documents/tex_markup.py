"""Parses LaTeX into pylatexenc's nodes, with the macros that a text defines. Code is replaced by placeholders first."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import tex_names
from raft_exp.corpora.readers.documents.document import UnreadableError

if TYPE_CHECKING:
    from pylatexenc.latexwalker import LatexNode
    from pylatexenc.macrospec import LatexContextDb

_CODE = re.compile(
    r"\\begin\{((?:[vV]erbatim|lstlisting|minted|alltt|BVerbatim|LVerbatim|comment|filecontents)\*?)\}(.*?)\\end\{\1\}",
    re.DOTALL,
)
_INLINE = re.compile(r"\\(?:lstinline|mintinline\{\w{1,30}\})(?:\[[^\]]{0,200}\])?([|!+@/\"])(.*?)\1")
_OPTIONS = re.compile(r"\s*(?:\[[^\]]*\]|\{[^}]*\})*[^\S\n]*\n?")
_UNSEEN = re.compile(  # text that is not shown, and rules of tables that cover some columns
    r"\\iffalse\b.*?\\fi\b|\\cmidrule(?:\([lr]{1,2}\))?(?:\[[^\]]{0,20}\])?\{[^}]{0,20}\}", re.DOTALL
)
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|renewcommand|providecommand)\*?\s*\{?\s*\\([a-zA-Z]+)\s*\}?\s*"
    r"(?:\[(\d)\])?\s*(\[[^\]]*\])?\s*(?=\{)|\\[gex]?def\s*\\([a-zA-Z]+)\s*((?:#\d)*)\s*(?=\{)"
)
_MOST = 500_000  # largest number of characters of all expanded macros
_ASIDE = "raftsetaside"  # the macro that stands for code


class Macros:
    """A text and the macros that it defines."""

    def __init__(self, text: str) -> None:
        self._aside: list[tuple[str, str]] = []  # environment and content
        text = _INLINE.sub(lambda found: self._set_aside("inline", found[2]), text)
        text = _CODE.sub(lambda found: self._set_aside(found[1].rstrip("*"), found[2]), text)
        self.defined: dict[str, tuple[str, str]] = {}  # name -> (arguments as pylatexenc writes them, body)
        self._text = self._without_definitions(_UNSEEN.sub("", text))
        self._left = _MOST

    def preamble_and_body(self) -> "tuple[list[LatexNode], list[LatexNode]]":
        """Returns the macros of the preamble and the nodes of the body.

        A text without \\begin{document} has no preamble.
        """
        before, begin, after = self._text.partition(r"\begin{document}")
        if not begin:
            return [], self._parsed(self._text)
        macros = [node for node in self._parsed(before) if kind(node) == "macro"]
        return macros, self._parsed(after.partition(r"\end{document}")[0])

    def expanded(self, node: "LatexNode") -> "list[LatexNode]":
        """Returns the nodes that a macro of the text expands to.

        Raises UnreadableError if all expansions of the text together exceed _MOST characters, as endless ones do.
        """
        _, body = self.defined[node.macroname]
        for place, given in enumerate(node.nodeargd.argnlist or (), start=1):
            text = "" if given is None else given.latex_verbatim()
            body = body.replace(f"#{place}", text[1:-1] if text[:1] in ("{", "[") else text)
        self._left -= len(body) + 10
        if self._left < 0:
            raise UnreadableError("damaged", "macros that expand to too much text")
        return self._parsed(body)

    def code(self, node: "LatexNode") -> tuple[str, str] | None:
        """Returns (environment, content) of a code placeholder; None for another macro."""
        if node.macroname != _ASIDE:
            return None
        name, content = self._aside[int(node.nodeargd.argnlist[0].latex_verbatim().strip("{}"))]
        return name, content if name in ("verbatim", "inline") else content[_skipped(content) :]

    def formula(self, node: "LatexNode") -> str:
        """Returns the LaTeX of a formula without labels and comments. Short macros without arguments are expanded."""
        text = re.sub(r"(?<!\\)%.*\n?|\\(?:label|tag)\*?\{[^{}]*\}|\\(?:nonumber|notag)\b", "", node.latex_verbatim())
        for left, right in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")):
            if text.startswith(left) and text.endswith(right):
                text = text[len(left) : -len(right)]
                break
        text = text.removeprefix("$")  # without an end
        text = re.sub(r"^\\begin\{equation\*?\}(.*)\\end\{equation\*?\}$", r"\1", text.strip(), flags=re.DOTALL)
        for name, (arguments, body) in list(self.defined.items()) if len(text) < 10_000 else ():
            if not arguments and len(body) < 200:
                text = re.sub(rf"\\{name}(?![a-zA-Z])", body.replace("\\", r"\\"), text)
        return " ".join(text.split())

    def _set_aside(self, name: str, content: str) -> str:
        self._aside.append((name, content))
        return rf"\{_ASIDE}{{{len(self._aside) - 1}}}"

    def _without_definitions(self, text: str) -> str:
        pieces, done = [], 0
        for found in _DEFINITION.finditer(text):
            if found.start() < done:
                continue
            end = _closing(text, found.end())
            count = int(found[2] or 0) or (found[5] or "").count("#")
            arguments = ("[" if found[3] else "{") + "{" * (count - 1) if count else ""
            self.defined[found[1] or found[4]] = arguments, text[found.end() + 1 : end - 1]
            pieces.append(text[done : found.start()])
            done = end
        return "".join([*pieces, text[done:]])

    def _parsed(self, text: str) -> "list[LatexNode]":
        from pylatexenc.latexwalker import LatexWalker

        walker = LatexWalker(text, latex_context=self._context, tolerant_parsing=True)
        nodes: list[LatexNode] = walker.get_latex_nodes()[0]
        return nodes

    @cached_property
    def _context(self) -> "LatexContextDb":
        """Returns the macros and environments of pylatexenc, of `tex_names` and of the text."""
        from pylatexenc.latexwalker import get_default_latex_context_db
        from pylatexenc.macrospec import std_environment, std_macro

        known = get_default_latex_context_db()
        macros = {_ASIDE: "{", **tex_names.ARGUMENTS, **{name: spec for name, (spec, _) in self.defined.items()}}
        known.add_context_category(
            "ours",
            macros=[std_macro(name, spec) for name, spec in macros.items()],
            environments=[std_environment(name, spec) for name, spec in tex_names.ENVIRONMENTS.items()],
            prepend=True,
        )
        return known


def kind(node: "LatexNode") -> str:
    """Returns the kind of a node: chars, macro, environment, group, math, comment, specials."""
    return type(node).__name__.removeprefix("Latex").removesuffix("Node").lower()


def arguments(node: "LatexNode") -> "list[Sequence[LatexNode]]":
    """Returns the nodes of each argument of a macro or environment.

    Optional arguments that are not given are left out, and so is the star of a starred macro.
    """
    given = node.nodeargd.argnlist if node.nodeargd is not None else None
    return [_inner(one) for one in given or () if one is not None and not _is_star(one)]


def argument(node: "LatexNode") -> "Sequence[LatexNode]":
    """Returns the nodes of the last argument; () if there is none."""
    return next(reversed(arguments(node)), ())


def first_group(nodes: "Sequence[LatexNode]") -> "LatexNode | None":
    """Returns the group in braces at the start of these nodes; None if other text is there."""
    first = next((node for node in nodes if node.latex_verbatim().strip()), None)
    return first if kind(first) == "group" else None


def _inner(node: "LatexNode") -> "Sequence[LatexNode]":
    return node.nodelist if kind(node) == "group" else [node]


def _is_star(node: "LatexNode") -> bool:
    return kind(node) == "chars" and node.chars == "*"


def sign(node: "LatexNode") -> str | None:
    """Returns the character that a macro stands for ("\\ss", "\\'e"); None for other macros."""
    from pylatexenc.latex2text import LatexNodes2Text

    if node.macroname in tex_names.ACCENTS or (node.macroname in _signs() and not arguments(node)):
        text: str = LatexNodes2Text().macro_node_to_text(node)
        return text
    return None


def _signs() -> frozenset[str]:
    """Returns the macros that pylatexenc writes as characters."""
    global _known  # made once
    if _known is None:
        from pylatexenc.latex2text import get_default_latex_context_db

        specs = get_default_latex_context_db().iter_macro_specs()
        _known = frozenset(
            spec.macroname for spec in specs if isinstance(spec.simplify_repl, str) and "%" not in spec.simplify_repl
        ) | {"%", "&"}
    return _known


_known: frozenset[str] | None = None


def special(node: "LatexNode") -> str:
    """Returns the characters of a special sequence such as "~" and "--"."""
    text: str = node.specials_chars
    return {"~": "\u00a0", "``": "“", "''": "”", "--": "–", "---": "—", "!`": "¡", "?`": "¿", "\n\n": "\n\n"}.get(
        text, text
    )


def units(node: "LatexNode") -> Iterator[str]:
    """Yields the numbers and units of siunitx: "5", "kilogram"."""
    for one in node.nodeargd.argnlist or ():
        if one is not None and kind(one) == "group" and one.delimiters[0] == "{":
            yield re.sub(r"\\(per|[a-zA-Z]+)", lambda found: " per " if found[1] == "per" else found[1],
                         one.latex_verbatim()[1:-1]).strip()  # fmt: skip


def _closing(text: str, start: int) -> int:
    """Returns the offset after the brace that closes the one at `start`; the end of the text if it is not closed."""
    depth = 0
    for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth and found[0] == "}":
            return found.end()
    return len(text)


def _skipped(content: str) -> int:
    options = _OPTIONS.match(content)
    return options.end() if options else 0
