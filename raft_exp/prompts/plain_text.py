"""Prompt mode `plain_text`: the passages one after another, then the question and the instruction.

Passage 1: Velmor (paragraph 1)
Velmor is a town ...

Question: When was Velmor founded?
Answer in the form: ##Answer: {answer}

Title, place and question are single lines: their white space is collapsed. `read` cannot restore two cases. If a
passage has no place and its title ends in brackets, `read` returns the text in the brackets as the place. If a place
contains brackets, `read` returns the place as a part of the title.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import ENGLISH, LONE_SURROGATES, Document, Headings, carried, one_line

# A line begins after every character that some program reads as a line end.
_LINE = r"(?:^|(?<=[\r\v\f\x1c-\x1e\x85\u2028\u2029]))"
_HEADING = re.compile(r"(.*?)(?:(?:^| )\(([^()]+)\))?")


@dataclass(frozen=True)
class PlainText:
    """The prompt mode `plain_text`, with headings in one language.

    A line of a document that looks like a heading gets a backslash in front, also if the line already begins with
    backslashes. `read` removes one backslash from such lines.
    """

    headings: Headings = ENGLISH

    FORBIDDEN = LONE_SURROGATES

    @cached_property
    def DELIMITER(self) -> re.Pattern[str]:  # noqa: N802
        """Text of a document that looks like a heading of this mode (`Mode.DELIMITER`)."""
        return re.compile(rf"{_LINE}(\\*(?:{self._passage} \d+|{self._question}):)", re.MULTILINE)

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        return re.compile(rf"{_LINE}\\(\\*(?:{self._passage} \d+|{self._question}):)", re.MULTILINE)

    @property
    def _passage(self) -> str:
        return re.escape(self.headings.passage)

    @property
    def _question(self) -> str:
        return re.escape(self.headings.question)

    def render(self, question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
        """Returns the whole user message (`Mode.render`)."""
        shown = carried(question, passages, instruction, self.FORBIDDEN)
        blocks = [self._block(number, *passage) for number, passage in enumerate(shown.passages, start=1)]
        return "\n\n".join([*blocks, f"{self.headings.question}: {one_line(shown.question)}\n{shown.instruction}"])

    def _block(self, number: int, title: str, place: str, text: str) -> str:
        bracketed = f"({one_line(place)})" if place.strip() else ""
        heading = " ".join(filter(None, (f"{self.headings.passage} {number}:", one_line(title), bracketed)))
        return heading + "\n" + self.DELIMITER.sub(r"\\\1", text)

    def read(self, text: str) -> Document:
        """Parses a user message (`Mode.read`). Raises ValueError for a text without a line of the question."""
        question = re.search(rf"^{self._question}: (.*)\n", text, re.MULTILINE)
        if not question:
            name = self.headings.question
            raise ValueError(f"not a plain_text prompt: it has no line that begins with '{name}: '")
        blocks = re.split(rf"^{self._passage} \d+:", text[: question.start()], flags=re.MULTILINE)[1:]
        passages = [self._parts(block.removesuffix("\n\n")) for block in blocks]
        return Document(question[1], passages, text[question.end() :])

    def _parts(self, block: str) -> tuple[str, str, str]:
        heading, _, text = block.partition("\n")
        match = _HEADING.fullmatch(heading.strip())
        title, place = match.groups("") if match else (heading.strip(), "")
        return title, place, self._escaped.sub(r"\1", text)
