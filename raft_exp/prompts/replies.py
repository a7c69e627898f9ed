"""What the model learns to write, and how its reply is read: in the paper's form or as one JSON object.

paper  ##Reason: ... ##begin_quote## ... ##end_quote## ... ##Answer: yes
json   {"reason": "... ##begin_quote## ... ##end_quote## ...", "answer": "yes"}
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from raft_exp.core.records import Target
from raft_exp.prompts.clean import break_markers

ReplyFormat = Literal["paper", "json"]

REASON, ANSWER = "##Reason:", "##Answer:"
BEGIN_QUOTE, END_QUOTE = "##begin_quote##", "##end_quote##"
_QUOTE = re.compile(f"{BEGIN_QUOTE}(.*?){END_QUOTE}", re.DOTALL)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class ParsedReply:
    """A model's reply, taken apart. `prediction` is "" and `parsed` False when it has not the form asked for."""

    prediction: str
    parsed: bool
    reason: str
    quotes: list[str]


def completion(target: Target, cot: bool, reply_format: ReplyFormat) -> str:
    """What the model learns to write: reason (where there is one) and answer, or the answer alone."""
    reason = target.reason if cot else ""
    if reply_format == "json":
        return json.dumps(({"reason": reason} if reason else {}) | {"answer": target.answer}, ensure_ascii=False)
    answer = f"{ANSWER} {target.answer}"
    return f"{REASON} {reason} {answer}" if reason else answer


def quote(text: str) -> str:
    """A verbatim citation inside a reason; markers in the text itself are broken up."""
    return f"{BEGIN_QUOTE} {break_markers(text.strip())[0]} {END_QUOTE}"


def parse(raw: str, reply_format: ReplyFormat) -> ParsedReply:
    """Takes a reply apart. A reply in another form counts as not parsed: nothing is guessed out of it."""
    taken = _from_json(raw) if reply_format == "json" else _from_paper(raw)
    reason, answer = taken or (raw, "")
    quotes = [text.strip() for text in _QUOTE.findall(reason)]
    return ParsedReply(answer.strip(), taken is not None, reason.split(REASON, 1)[-1].strip(), quotes)


def _from_paper(raw: str) -> tuple[str, str] | None:
    """Only the text after the last answer marker counts as the answer."""
    reason, marker, answer = raw.rpartition(ANSWER)
    return (reason, answer) if marker else None


def _from_json(raw: str) -> tuple[str, str] | None:
    """The reply has to be one JSON object with an answer in words; a code fence may stand around it."""
    fenced = _FENCE.fullmatch(raw.strip())
    try:
        said: Any = json.loads(fenced[1] if fenced else raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("answer"), str):
        return None
    reason = said.get("reason")
    return reason if isinstance(reason, str) else "", said["answer"]
