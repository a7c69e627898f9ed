"""One renderer for training and inference: what a model is shown, what it is asked to write, how a reply is read.

A prompt mode is one file here with `render(question, passages, instruction) -> str`: the whole user message.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from raft_exp.prompts import plain_text
from raft_exp.prompts.clean import break_markers
from raft_exp.records import ContextPassage, Target
from raft_exp.schema import config_dataclass

MODES = {"plain_text": plain_text.render}

REASON, ANSWER = "##Reason:", "##Answer:"
BEGIN_QUOTE, END_QUOTE = "##begin_quote##", "##end_quote##"

Messages = list[dict[str, str]]


@config_dataclass
class PromptConfig:
    """The words around question and passages. A custom prompt is one YAML file under conf/prompt/."""

    system: str  # the system message; "" for none
    task: str  # what kind of answer the corpus asks for, said before the instruction; "" for none
    answer_instruction: str  # asks for the answer alone
    reason_instruction: str  # asks for reasoning with quotes, then the answer (the paper's form)
    refusal: str  # the answer of a row without gold under dataset.no_gold_target=refuse


@dataclass(frozen=True)
class Reply:
    """A model's reply, taken apart. `prediction` is "" and `parsed` False when the answer marker is missing."""

    prediction: str
    parsed: bool
    reason: str
    quotes: list[str]


def messages(
    prompt: PromptConfig, mode: str, question: str, context: Sequence[ContextPassage] | None, cot: bool
) -> Messages:
    """The chat that asks `question`: system (where there is one) and user. `context=None` is closed book."""
    instruction = prompt.reason_instruction if cot else prompt.answer_instruction
    instruction = " ".join(filter(None, (prompt.task, instruction)))
    user = {"role": "user", "content": MODES[mode](question, context or (), instruction)}
    return [{"role": "system", "content": prompt.system}, user] if prompt.system else [user]


def completion(target: Target, cot: bool) -> str:
    """What the model learns to write: the paper's `##Reason: ... ##Answer: ...`, or the answer alone."""
    answer = f"{ANSWER} {target.answer}"
    return f"{REASON} {target.reason} {answer}" if cot and target.reason else answer


def quote(text: str) -> str:
    """A verbatim citation inside a reason; markers in the text itself are broken up."""
    return f"{BEGIN_QUOTE} {break_markers(text.strip())[0]} {END_QUOTE}"


def parse(raw: str) -> Reply:
    """Takes a reply apart. Only the text after the last answer marker counts as the prediction."""
    reason, marker, answer = raw.rpartition(ANSWER)
    if not marker:
        reason, answer = raw, ""
    quotes = re.findall(f"{BEGIN_QUOTE}(.*?){END_QUOTE}", reason, flags=re.DOTALL)
    reason = reason.split(REASON, 1)[-1].strip()
    return Reply(answer.strip(), bool(marker), reason, [text.strip() for text in quotes])
