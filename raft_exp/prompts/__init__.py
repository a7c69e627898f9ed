"""Prompts and replies: the same functions render for training and for inference, and parse what a model writes.

A prompt mode renders the whole user message (passages, question, instruction) as one document, for instance one JSON
object. `mode_of` gives it the headings of the prompt's language. To add a mode:

1. Write `raft_exp/prompts/<mode>.py` with the four names of `document.Mode`: FORBIDDEN (characters that the format
   cannot hold), DELIMITER (text that looks like the mode's own marks), `render` and `read`. `json.py` is the shortest
   example. `render` calls `carried` first, gives a well-formed document for every input, and escapes text from
   documents; `read` is its inverse. The module's docstring shows an example and lists what `read` cannot restore.
2. Add its name to PromptMode and its module to MODES below.
3. In tests/unit/prompts/test_modes.py add the layout to LAYOUTS, the parser (where there is one) to PARSERS, and
   what the mode loses to `carried`; the other tests there run for every mode of MODES.

Reply formats are in `replies.py`; the system message and the instructions are settings (`PromptConfig`).
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
    """The words around question and passages. A custom prompt is one YAML file under conf/prompt/."""

    system: str  # the system message; "" for none
    # Which kind of answer the corpus asks for, placed before the instruction; "" for none. It is a request ("Reply with
    # yes or no."): models repeat a sentence about the answer ("The answer is yes or no.") as their reply.
    task: str
    answer_instruction: str  # requests the answer alone
    reason_instruction: str  # requests reasoning with quotes, then the answer
    refusal: str  # the answer of a row without gold under dataset.no_gold_target=refuse
    reply_format: ReplyFormat  # paper: ##Reason: ... ##Answer: ... | json: one object with reason and answer
    # Where task and instruction stand. system: at the end of the system message, so that the question comes last.
    instruction_in: KeyedWhenSet[Literal["user", "system"]] = "user"
    language: KeyedWhenSet[str] = "en"  # of the words above: a file of conf/prompt/languages/; your own words stay
    # The day that a chat template is told as today (`strftime_now`, as in Llama 3.x); most templates ask for none.
    date: KeyedWhenSet[str] = template_date.DATE
    headings: KeyedWhenSet[Headings] = ENGLISH  # of plain_text and markdown; those of `language` where it has none

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
            raise ValueError(f"prompt.date: got {self.date!r}; give a day as {template_date.DATE}") from None
        if not self.refusal.strip():
            raise ValueError("prompt.refusal: got ''; give the words of a refusal: an empty answer is never trained on")
        return self


def mode_of(prompt: PromptConfig, name: str) -> Mode:
    """A prompt mode with the headings of a prompt, where it has headings."""
    return _headed(name, prompt.headings)


@lru_cache(maxsize=64)
def _headed(name: str, headings: Headings) -> Mode:
    mode = MODES[name]
    return type(mode)(headings) if isinstance(mode, PlainText | Markdown) else mode


def messages(
    prompt: PromptConfig, mode: str, question: str, context: Sequence[ContextPassage] | None, cot: bool
) -> Messages:
    """The system message (where there is one) and the user message. `context=None`: closed book, no passages."""
    instruction = prompt.reason_instruction if cot else prompt.answer_instruction
    instruction, system = " ".join(filter(None, (prompt.task, instruction))), prompt.system
    if prompt.instruction_in == "system":
        instruction, system = "", " ".join(filter(None, (system, instruction)))
    user = {"role": "user", "content": mode_of(prompt, mode).render(question, context or (), instruction)}
    return [{"role": "system", "content": system}, user] if system else [user]
