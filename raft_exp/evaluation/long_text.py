"""The long text of a reply or target, which metrics of wording compare with a long reference."""

import re

from raft_exp.core.records import Target
from raft_exp.prompts import ParsedReply

_MARKER = re.compile(r"##\w+(?:##|:)")


def of_reply(reply: ParsedReply, closed: bool) -> str:
    """Returns the reasoning and the answer of a reply, without markers and with single spaces.

    `closed`: the answers are labels. A label is no part of the text, unless the reply has no reasoning.
    """
    if closed:
        return plain(reply.reason) or plain(reply.prediction)
    return plain(f"{reply.reason} {reply.prediction}")


def of_target(target: Target, closed: bool) -> str:
    """Returns the long text of a target, in the form of `of_reply`; "" for a target that is a mere label."""
    return plain(target.reason if closed else f"{target.reason} {target.answer}")


def plain(text: str) -> str:
    """Returns a text without the markers of reasoning, answers and quotes, and with single spaces."""
    return " ".join(_MARKER.sub(" ", text).split())
