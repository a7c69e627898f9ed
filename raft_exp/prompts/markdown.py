"""Prompt mode `markdown`: headings for the parts, and block quotes for the text of documents and the question.

## Passage 1

Title: Velmor
Place: paragraph 1

> Velmor is a town ...

## Question

> When was Velmor founded?

## Instruction

Answer in the form: ##Answer: {answer}

Each line of a block quote begins with ">". So no text in it is read as a heading, and nothing needs to be escaped.
Title and place are single lines: their white space is collapsed. Every line end becomes a line feed. The instruction
comes last, unchanged.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import ENGLISH, LONE_SURROGATES, Document, Headings, carried, one_line


@dataclass(frozen=True)
class Markdown:
    """The prompt mode `markdown`, with headings in one language."""

    headings: Headings = ENGLISH

    FORBIDDEN = re.compile(LONE_SURROGATES.pattern + r"|\0")  # CommonMark, section 2.3

    @cached_property
    def DELIMITER(self) -> re.Pattern[str]:  # noqa: N802
        """Text of a document that looks like a heading of this mode (`Mode.DELIMITER`)."""
        passage, question, instruction = (
            re.escape(name) for name in (self.headings.passage, self.headings.question, self.headings.instruction)
        )
        return re.compile(rf"^ {{0,3}}#{{1,6}} +(?:{passage} \d+|{question}|{instruction})\b", re.MULTILINE)

    @property
    def _instruction(self) -> str:
        return f"## {self.headings.instruction}\n\n"

    def render(self, question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
        """Returns the whole user message (`Mode.render`)."""
        shown = carried(question, passages, instruction, self.FORBIDDEN)
        numbered = enumerate(shown.passages, start=1)
        blocks = [block for number, passage in numbered for block in self._blocks(number, *passage)]
        blocks += [f"## {self.headings.question}", _quoted(shown.question)]
        return "".join(f"{block}\n\n" for block in blocks if block) + self._instruction + shown.instruction

    def _blocks(self, number: int, title: str, place: str, text: str) -> Iterator[str]:
        yield f"## {self.headings.passage} {number}"
        facts = ((self.headings.title, one_line(title)), (self.headings.place, one_line(place)))
        yield "\n".join(f"{name}: {value}" for name, value in facts if value)
        yield _quoted(text)

    def read(self, text: str) -> Document:
        """Parses a user message (`Mode.read`). Raises ValueError for a text without the heading of the instruction."""
        # text from documents is quoted: only lines of `render` are empty or begin with another sign than ">"
        body, heading, instruction = text.partition(f"\n\n{self._instruction}")
        if not heading:
            raise ValueError(f"not a markdown prompt: it has no heading {self.headings.instruction!r}")
        *passages, question = re.split("^## ", body, flags=re.MULTILINE)[1:]
        return Document(_unquoted(question), [self._parts(passage) for passage in passages], instruction)

    def _parts(self, section: str) -> tuple[str, str, str]:
        facts = dict(line.split(": ", 1) for line in section.split("\n")[1:] if line and not line.startswith(">"))
        return facts.get(self.headings.title, ""), facts.get(self.headings.place, ""), _unquoted(section)


def _quoted(text: str) -> str:
    lines = re.split("\r\n|\r|\n", text) if text else []
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def _unquoted(section: str) -> str:
    return "\n".join(line[2:] for line in section.split("\n") if line.startswith(">"))
