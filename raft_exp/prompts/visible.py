"""Removes the parts of a reply that are not its answer: thinking, quotes of passages, and later turns of the chat."""

import re
from collections.abc import Sequence

_THINKING = re.compile(
    r"[<\[◁]\s?(?P<end>/?)\s?(?P<name>think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis)\s?[>\]▷]"
    r"|<\|(?P<part>begin|end)_of_thought\|>",
    re.I,
)
_MAY_STAY_OPEN = ("reasoning", "reflection", "analysis")  # without an end tag, text after these is part of the reply
_CHANNEL = re.compile(r"<\|channel\|>(\w{1,20})(?:<\|message\|>)?")  # gpt-oss: analysis, commentary, final
_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|endoftext|end_of_text|end|return|user|assistant|start_header_id)\|>"
    r"|</?s>|<eos>|<(?:end|start)_of_turn>|\[/?INST\]"
)
_QUOTE_MARK = re.compile(r"##(?P<kind>begin|end)_quote##|(?<!#)#{1,6}\s{0,9}(?:final\s{1,9})?answer\b", re.IGNORECASE)
_BLOCK_QUOTE = re.compile(r"^[ \t]{0,20}>.*$", re.MULTILINE)


def visible(raw: str) -> str:
    """Returns a reply without thinking, quotes of passages and text after its end token."""
    reply = _one_turn(without_thinking(raw))
    return _BLOCK_QUOTE.sub("", _without_quotes(reply))


def without_thinking(raw: str) -> str:
    """Removes the thinking of a model, for example `<think> ... </think>`.

    Without an end tag, the thinking extends to the end of the reply, except for the tags in `_MAY_STAY_OPEN`. Without a
    start tag, the chat template has begun the thinking: all text before the end tag is removed. A reply in channels
    (gpt-oss) is cut to the text of its last channel if this is `final`, else to the text before its first channel.
    """
    channels = list(_CHANNEL.finditer(raw))
    if channels:
        last = channels[-1]
        return raw[last.end() :] if last[1] == "final" else raw[: channels[0].start()]
    kept: list[str] = []
    place, opened = 0, ""
    for tag in _THINKING.finditer(raw):
        if tag["end"] or tag["part"] == "end":
            kept = kept if opened else []
            place, opened = tag.end(), ""
        elif not opened:
            kept.append(raw[place : tag.start()])
            place, opened = tag.end(), (tag["name"] or "thought").lower()
    return "".join(kept) if opened and opened not in _MAY_STAY_OPEN else "".join([*kept, raw[place:]])


def _one_turn(reply: str) -> str:
    """Cuts a reply at the first control token with text before it."""
    for token in _END.finditer(reply):
        if reply[: token.start()].strip():
            return reply[: token.start()]
    return reply


def _without_quotes(reply: str) -> str:
    """Removes quotes. A quote without an end mark extends to the next quote or answer marker, or to the reply's end."""
    if "##" not in reply:
        return reply
    marks = list(_QUOTE_MARK.finditer(reply))
    ends = _next_of(marks, "end")
    kept: list[str] = []
    place = 0
    for number, mark in enumerate(marks):
        if mark["kind"] is None or mark["kind"].lower() != "begin" or mark.start() < place:
            continue
        kept.append(reply[place : mark.start()])
        place = ends[number] or (marks[number + 1].start() if number + 1 < len(marks) else len(reply))
    return " ".join([*kept, reply[place:]])


def _next_of(marks: Sequence[re.Match[str]], kind: str) -> list[int | None]:
    """Returns, for each mark, the end position of the next mark of `kind` ("begin" or "end").

    The position is None if a mark of the other kind comes first, or if no mark follows.
    """
    following: list[int | None] = []
    found = None
    for mark in reversed(marks):
        following.append(found)
        of_quote = (mark["kind"] or "").lower()
        found = mark.end() if of_quote == kind else None if of_quote else found
    return following[::-1]
