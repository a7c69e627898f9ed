"""Renders prompts and parses replies. Training and inference use the same functions.

A prompt mode renders the whole user message (passages, question, instruction) as one document, for example as one JSON
object. To add a mode:

1. Write `raft_exp/prompts/<mode>.py` with the four names of `document.Mode`: FORBIDDEN (characters that the format
   cannot represent), DELIMITER (text of a document that looks like the mode's own syntax), `render` and `read`.
   `json.py` is the shortest example. `render` calls `carried` first, returns a well-formed document for every input,
   and escapes text from documents. `read` inverts `render`. The docstring of the module shows an example, and lists
   what `read` cannot restore.
2. Add the name to PromptMode, and the module to MODES below.
3. In tests/unit/prompts/test_modes.py, add the layout to LAYOUTS, and the parser (if there is one) to PARSERS.
   To its function `carried`, add the parts that the mode cannot restore. The other tests run for all modes.

Reply formats are in `replies.py`. The system message and the instructions are settings (`PromptConfig`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from pydantic import model_validator

from raft_exp.core.records import ContextPassage, Messages
from raft_exp.core.schema import KeyedWhenSet, config_dataclass
from raft_exp.models import template_date
from raft_exp.prompts import json, xml, yaml
from raft_exp.prompts.document import ENGLISH, Document, Headings, Mode
from raft_exp.prompts.markdown import Markdown
from raft_exp.prompts.plain_text import PlainText
from raft_exp.prompts.replies import (
    ANSWER,
    BEGIN_QUOTE,
    END_QUOTE,
    REASON,
    ParsedReply,
    ReplyFormat,
    completion,
    parse,
    quote,
)

__all__ = [
    "ANSWER",
    "BEGIN_QUOTE",
    "END_QUOTE",
    "MODES",
    "REASON",
    "Document",
    "Headings",
    "Messages",
    "Mode",
    "ParsedReply",
    "PromptConfig",
    "PromptMode",
    "ReplyFormat",
    "completion",
    "messages",
    "mode_of",
    "parse",
    "quote",
]

PromptMode = Literal["plain_text", "markdown", "yaml", "xml", "json"]
MODES: dict[str, Mode] = {"plain_text": PlainText(), "markdown": Markdown(), "yaml": yaml, "xml": xml, "json": json}


@config_dataclass
class PromptConfig:
    """The texts of a prompt around question and passages. A custom prompt is a YAML file under conf/prompt/."""

    system: str  # the system message; "" for none
    # The kind of answer that the corpus expects, before the instruction; "" for none. It must be a request ("Reply with
    # yes or no."): models repeat a statement ("The answer is yes or no.") as their reply.
    task: str
    answer_instruction: str  # requests the answer alone
    reason_instruction: str  # requests reasoning with quotes, then the answer
    refusal: str  # target of rows without gold, under dataset.no_gold_target=refuse or by dataset.refuse_share
    reply_format: ReplyFormat  # paper: ##Reason: ... ##Answer: ... | json: one object with reason and answer
    # The message that has task and instruction. With system they end the system message, so the question comes last.
    instruction_in: KeyedWhenSet[Literal["user", "system"]] = "user"
    language: KeyedWhenSet[str] = "en"  # a file of conf/prompt/languages/ with default values of the texts above
    # Today's date for chat templates that print a date (`strftime_now`, as in Llama 3.x); most templates print none.
    date: KeyedWhenSet[str] = template_date.DATE
    headings: KeyedWhenSet[Headings] = ENGLISH  # headings of plain_text and markdown; by default those of `language`

    @model_validator(mode="after")
    def _values_are_usable(self) -> "PromptConfig":
        for name in ("answer_instruction", "reason_instruction"):
            if self.reply_format == "json" and ANSWER in getattr(self, name):
                raise ValueError(
                    f"prompt.reply_format: got 'json', but prompt.{name} asks for {ANSWER}; use prompt=json_reply, or "
                    "instructions that ask for a JSON object"
                )
        try:
            template_date.parsed(self.date)
        except ValueError:
            raise ValueError(f"prompt.date: got {self.date!r}; write a date such as {template_date.DATE}") from None
        if not self.refusal.strip():
            raise ValueError("prompt.refusal: got ''; write a sentence that declines to answer")
        return self


def mode_of(prompt: PromptConfig, name: str) -> Mode:
    """Returns the prompt mode `name`; plain_text and markdown have the headings of `prompt`."""
    return _headed(name, prompt.headings)


@lru_cache(maxsize=64)
def _headed(name: str, headings: Headings) -> Mode:
    mode = MODES[name]
    return type(mode)(headings) if isinstance(mode, PlainText | Markdown) else mode


def messages(
    prompt: PromptConfig, mode: str, question: str, context: Sequence[ContextPassage] | None, cot: bool
) -> Messages:
    """Returns the system message, if there is one, and the user message of a prompt.

    `mode`: name of the prompt mode. `context`: None for a prompt without passages. `cot`: whether the prompt requests
    reasoning before the answer.
    """
    instruction = prompt.reason_instruction if cot else prompt.answer_instruction
    instruction, system = " ".join(filter(None, (prompt.task, instruction))), prompt.system
    if prompt.instruction_in == "system":
        instruction, system = "", " ".join(filter(None, (system, instruction)))
    user = {"role": "user", "content": mode_of(prompt, mode).render(question, context or (), instruction)}
    return [{"role": "system", "content": system}, user] if system else [user]
