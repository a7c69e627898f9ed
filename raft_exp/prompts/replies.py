"""Writes training targets and parses replies, in the format of the RAFT paper or as one JSON object.

paper  ##Reason: ... ##begin_quote## ... ##end_quote## ... ##Answer: yes
json   {"reason": "... ##begin_quote## ... ##end_quote## ...", "answer": "yes"}
"""

import json
import re
from dataclasses import dataclass
from typing import Literal

from raft_exp.core.records import Target
from raft_exp.prompts.clean import break_markers

ReplyFormat = Literal["paper", "json"]

REASON, ANSWER = "##Reason:", "##Answer:"
BEGIN_QUOTE, END_QUOTE = "##begin_quote##", "##end_quote##"
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class ParsedReply:
    """The parts of a model's reply.

    If the reply does not have the requested form, `parsed` is False, `prediction` is "", and `reason` and `quotes` are
    taken from the whole reply.
    """

    prediction: str
    parsed: bool
    reason: str
    quotes: list[str]


def completion(target: Target, cot: bool, reply_format: ReplyFormat) -> str:
    """Returns the text of a training target: the answer; with `cot`, the reason (if any) and the answer."""
    reason = target.reason if cot else ""
    if reply_format == "json":
        return json.dumps(({"reason": reason} if reason else {}) | {"answer": target.answer}, ensure_ascii=False)
    answer = f"{ANSWER} {target.answer}"
    return f"{REASON} {reason} {answer}" if reason else answer


def quote(text: str) -> str:
    """Returns a verbatim quote between quote markers, for use in a reason. Reply markers in the text are escaped."""
    return f"{BEGIN_QUOTE} {break_markers(text.strip())[0]} {END_QUOTE}"


def parse(raw: str, reply_format: ReplyFormat) -> ParsedReply:
    """Parses a reply in the requested form. Replies of another form have `parsed=False` (see `lenient.extract`)."""
    parts = _from_json(raw) if reply_format == "json" else _from_paper(raw)
    reason, answer = parts or (raw, "")
    quotes = [text.partition(END_QUOTE)[0].strip() for text in reason.split(BEGIN_QUOTE)[1:] if END_QUOTE in text]
    return ParsedReply(answer.strip(), parts is not None, reason.split(REASON, 1)[-1].strip(), quotes)


def _from_paper(raw: str) -> tuple[str, str] | None:
    """Returns reason and answer (the text after the last `##Answer:`); None without this marker."""
    reason, marker, answer = raw.rpartition(ANSWER)
    return (reason, answer) if marker else None


def _from_json(raw: str) -> tuple[str, str] | None:
    """Returns reason and answer of a reply that is one JSON object with a string `answer`; None for other replies.

    A code fence around the object is allowed.
    """
    fenced = _FENCE.fullmatch(raw.strip())
    try:
        fields: object = json.loads(fenced[1] if fenced else raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("answer"), str):
        return None
    reason = fields.get("reason")
    return reason if isinstance(reason, str) else "", fields["answer"]
