"""Reads LaTeX (pylatexenc): sections, lists, tables with column names, code, formulas as written, and notes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import tex_markup, tex_names, tex_tables
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.ooxml import not_read

if TYPE_CHECKING:
    from pylatexenc.latexwalker import LatexNode

_BREAK = "\v"  # a line break inside of a paragraph


def read(data: bytes) -> Document:
    """Reads the body in order. Notes follow their paragraph. Included files are not opened."""
    text, warnings = decode(data)
    counts: Counter[str] = Counter()
    reader = _Text(text, counts)
    reader.read_file()
    return Document(reader.title or reader.outline.first, reader.outline.parts(), warnings + not_read(counts))


class _Text:
    def __init__(self, text: str, counts: Counter[str]) -> None:
        self.outline, self.title = Outline(), ""
        self._macros, self._counts = tex_markup.Macros(text), counts
        self._notes: list[str] = []  # of the paragraph
        self._number = 0  # of the last note
        self._labels: list[str] = []  # by open list: "-", "" or the number of the item before
        self._line, self._separator = "", "\n\n"  # the paragraph that is being read

    def read_file(self) -> None:
        """Reads title, authors and date, then the body."""
        before, body = self._macros.preamble_and_body()
        for name in tex_names.HEADS:
            for node in before:
                if node.macroname == name:
                    self._head(node)
        self._blocks(body)
        self._flush()

    def _head(self, node: "LatexNode") -> None:
        self._flush()
        text = self._words(tex_markup.argument(node))
        if node.macroname == "title":
            self.title = self.title or text
            self.outline.heading(0, text)
        else:
            self._line = text
        self._flush()

    def _blocks(self, nodes: "Iterable[LatexNode]") -> None:
        for node in nodes:
            kind = tex_markup.kind(node)
            if kind == "chars":
                first, *more = node.chars.split("\n\n")
                self._line += first
                for paragraph in more:
                    self._flush()
                    self._line += paragraph
            elif kind == "specials" and node.specials_chars == "\n\n":
                self._flush()
            elif kind == "environment":
                self._environment(node)
            elif kind == "group":
                self._blocks(node.nodelist)
            elif kind == "math" and node.displaytype == "display":
                self._formula(node)
            elif kind != "macro" or not self._macro(node):
                self._line += self._inline(node)

    def _macro(self, node: "LatexNode") -> bool:
        """Reads a macro that ends the paragraph; returns False for a macro inside a paragraph."""
        name = node.macroname
        if name in tex_names.HEADS and tex_markup.arguments(node):
            self._head(node)
        elif name in tex_names.LEVELS:
            self._flush()
            self.outline.heading(tex_names.LEVELS[name], self._words(tex_markup.argument(node)))
        elif name in ("item", "bibitem"):
            self._item(node)
        elif name.startswith("caption") and tex_markup.arguments(node):
            self._flush()
            self._line = self._words(tex_markup.argument(node))
            self._flush()
        elif name in ("par", "newpage", "clearpage", "maketitle"):
            self._flush()
        elif name in self._macros.defined:
            self._blocks(self._macros.expanded(node))
        elif (code := self._macros.code(node)) and code[0] != "inline":
            self._flush()
            self._code(*code)
        else:
            return False
        return True

    def _code(self, name: str, content: str) -> None:
        if name in ("comment", "filecontents"):
            self._counts["comment" if name == "comment" else "included file"] += 1
        else:
            self.outline.block(content.strip("\n"))

    def _environment(self, node: "LatexNode") -> None:
        name = node.environmentname.rstrip("*")
        self._flush()
        if name in tex_names.FORMULAS:
            self._formula(node)
        elif node.environmentname in tex_names.TABLES:
            for line in tex_tables.lines(node, self._words):
                self.outline.block(line, "\n")
        elif name in tex_names.DRAWN:
            self._counts["picture"] += 1
        else:
            self._inside(name, node)
        self._flush()

    def _inside(self, name: str, node: "LatexNode") -> None:
        nodes = list(node.nodelist)
        if name in tex_names.LISTS:
            self._labels.append(tex_names.LISTS[name])
        elif name in tex_names.NAMED:
            own = self._words(tex_markup.argument(node))
            self._line = f"{name.capitalize()}{f' ({own})' if own else ''}. "
        elif name == "frame" and (titled := tex_markup.first_group(nodes)):
            nodes.remove(titled)
            self.outline.heading(tex_names.LEVELS[name], self._words([titled]))
        self._blocks(nodes)
        if name in tex_names.LISTS:
            self._flush()
            self._labels.pop()

    def _item(self, node: "LatexNode") -> None:
        self._flush()
        self._separator = "\n"
        own = self._words(tex_markup.argument(node))
        if node.macroname == "bibitem":
            self._line = f"[{own}] "
            return
        label = self._labels[-1] if self._labels else "-"
        if label.isdecimal():
            label = self._labels[-1] = str(int(label) + 1)
        shown = own or (f"{label}." if label.isdecimal() else label)
        self._line = f"{shown}{':' * bool(own and not label)} "

    def _formula(self, node: "LatexNode") -> None:
        self._flush()
        self.outline.block(f"$${self._macros.formula(node)}$$")

    def _flush(self) -> None:
        """Ends the paragraph."""
        pieces = [" ".join(line.split()) for line in self._line.split(_BREAK)]
        self.outline.block("\n".join(filter(None, pieces)), self._separator)
        self._line, self._separator = "", "\n\n"
        waiting, self._notes = self._notes, []
        for note in waiting:
            self.outline.block(note)

    def _words(self, nodes: "Sequence[LatexNode]") -> str:
        """Returns the text of nodes on one line."""
        return " ".join("".join(map(self._inline, nodes)).replace(_BREAK, " ").split())

    def _inline(self, node: "LatexNode") -> str:
        kind = tex_markup.kind(node)
        if kind == "comment":
            self._counts["comment"] += any(map(str.isalpha, node.comment))
            return ""
        if kind == "math":
            return f"${self._macros.formula(node)}$"
        if kind == "environment" and node.environmentname in tex_names.TABLES:
            return "; ".join(tex_tables.lines(node, self._words))
        if kind in ("group", "environment"):
            return "".join(map(self._inline, node.nodelist))
        if kind == "macro":
            return "".join(self._macro_text(node))
        return str(node.chars) if kind == "chars" else tex_markup.special(node)

    def _macro_text(self, node: "LatexNode") -> Iterator[str]:
        name = node.macroname
        if name in tex_names.NOTES:
            yield self._note(node)
        elif name in tex_names.COUNTED:
            self._counts[tex_names.COUNTED[name]] += 1
        elif name in tex_names.BREAKS or name == "item":
            yield _BREAK
        elif name in self._macros.defined:
            yield from map(self._inline, self._macros.expanded(node))
        elif name in tex_names.REFERENCES:
            yield f"[{self._words(tex_markup.argument(node))}]"
        elif name in tex_names.UNITS:
            yield " ".join(tex_markup.units(node))
        elif name == "verb":
            yield node.nodeargd.verbatim_text
        elif code := self._macros.code(node):
            yield code[1]
        elif name not in tex_names.SETTINGS:
            sign = tex_markup.sign(node)
            yield "".join(map(self._inline, tex_markup.argument(node))) if sign is None else sign
            yield node.macro_post_space if sign is None and not tex_markup.arguments(node) else ""

    def _note(self, node: "LatexNode") -> str:
        self._number += 1
        mark = f"[{self._number}]"
        self._notes.append(f"{mark} {self._words(tex_markup.argument(node))}")
        return "" if node.macroname == "footnotetext" else mark
