"""What a reply cites, and whether it stands there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from raft_exp.core.records import Answer, ContextPassage
from raft_exp.core.text import CLOSED_CLASS, answer_pattern, holds, normalise
from raft_exp.prompts import PromptConfig, parse
from raft_exp.prompts.refusals import abstained

Verdict = Literal["quoted", "answered", "unsupported", "not_verbatim", "unparsed", "refused", "nothing_found"]

SAID: dict[Verdict, str] = {
    "quoted": "",
    "answered": "",
    "unsupported": "The reply names nothing in the documents that would support it: do not rely on it.",
    "not_verbatim": "What the reply quotes stands nowhere in the passages that were found: do not rely on it.",
    "unparsed": "The reply is not of the form that was asked for.",
    "refused": "The documents do not hold the answer, the model says.",
    "nothing_found": "No passage shares a word with the question: the documents do not hold the answer.",
}


@dataclass(frozen=True)
class Citation:
    """A sentence that a reply quotes. `passage` is its number in the context, from 1; None where it stands nowhere."""

    text: str
    verbatim: bool
    passage: int | None = None
    id: str = ""
    document_id: str = ""
    title: str = ""
    place: str = ""
    source: str = ""
    start: int = 0  # in the passage's text
    end: int = 0


@dataclass(frozen=True)
class CitedAnswer:
    """A reply taken apart and compared with what the model was shown."""

    answer: str  # "" where the reply is not parsed
    reason: str
    citations: list[Citation]
    verdict: Verdict
    note: str  # what to tell the reader; "" where there is nothing to warn of


def judge(
    reply: Answer, context: Sequence[ContextPassage], sources: Sequence[str], prompt: PromptConfig, cot: bool
) -> CitedAnswer:
    """`sources` are the files of the passages; `cot`: the model was asked to quote."""
    found = parse(reply.raw, prompt.reply_format)
    citations = [cite(quote, context, sources) for quote in found.quotes]
    if not cot and found.parsed:
        citations = _sentences(found.prediction, context, sources)
    verdict = _verdict(found.prediction, found.parsed, citations, prompt, cot and bool(context))
    note = SAID[verdict] + (" It was cut off: model.max_new_tokens." if reply.truncated else "")
    return CitedAnswer(found.prediction, found.reason, citations, verdict, note.strip())


def cite(quote: str, context: Sequence[ContextPassage], sources: Sequence[str]) -> Citation:
    """Where a quote stands word for word, white space aside: in the first such passage."""
    words = quote.split()
    pattern = re.compile(r"\s+".join(map(re.escape, words))) if words else None
    for number, (passage, source) in enumerate(zip(context, sources, strict=True), start=1):
        found = pattern.search(passage.text) if pattern else None
        if found:
            return Citation(
                quote,
                True,
                number,
                passage.id,
                passage.document_id,
                passage.title,
                passage.place,
                source,
                *found.span(),
            )
    return Citation(quote, False)


def _sentences(answer: str, context: Sequence[ContextPassage], sources: Sequence[str]) -> list[Citation]:
    """For models that quote nothing: the first sentence of each passage that holds the (open) answer word for word."""
    pattern = answer_pattern([answer])
    if pattern is None:
        return []
    cited = []
    for passage in context:
        sentences = re.split(r"(?<=[.!?])\s+", passage.text)
        text = next((one for one in sentences if pattern.search(normalise(one))), "")
        cited += [cite(text, context, sources)] if text and holds(pattern, passage) else []
    return cited


def _verdict(answer: str, parsed: bool, citations: list[Citation], prompt: PromptConfig, quotes: bool) -> Verdict:
    if parsed and (not normalise(answer) or abstained(answer, prompt.refusal)):
        return "refused"
    if any(one.verbatim for one in citations):
        return "quoted"
    if not parsed:
        return "unparsed"
    if citations:
        return "not_verbatim"
    closed = normalise(answer) in CLOSED_CLASS
    return "unsupported" if quotes or not closed else "answered"
