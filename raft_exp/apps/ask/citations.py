"""The citations of a reply, checked against the passages of its context."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from raft_exp.core.records import Answer, ContextPassage
from raft_exp.core.text import CLOSED_CLASS, answer_pattern, holds, normalise
from raft_exp.prompts import PromptConfig, parse
from raft_exp.prompts.refusals import abstained

Verdict = Literal["quoted", "answered", "unsupported", "not_verbatim", "unparsed", "refused", "nothing_found"]

NOTES: dict[Verdict, str] = {
    "quoted": "",
    "answered": "",
    "unsupported": "The reply quotes nothing from the documents that supports it: do not rely on it.",
    "not_verbatim": "The quotes of the reply are in none of the retrieved passages: do not rely on it.",
    "unparsed": "The reply does not have the required form.",
    "refused": "According to the model, the documents do not contain the answer.",
    "nothing_found": "No passage shares a word with the question: the documents do not contain the answer.",
}


@dataclass(frozen=True)
class Citation:
    """A quote of a reply. `passage`: its number in the context, from 1; None for a quote that is in no passage."""

    text: str
    verbatim: bool
    passage: int | None = None
    id: str = ""
    document_id: str = ""
    title: str = ""
    place: str = ""
    source: str = ""
    start: int = 0  # characters in the passage's text
    end: int = 0


@dataclass(frozen=True)
class CitedAnswer:
    """A parsed reply with its checked citations."""

    answer: str  # "" for a reply that cannot be parsed
    reason: str
    citations: list[Citation]
    verdict: Verdict
    note: str  # a warning for the reader, or ""


def judge(
    reply: Answer, context: Sequence[ContextPassage], sources: Sequence[str], prompt: PromptConfig, cot: bool
) -> CitedAnswer:
    """Parses a reply and checks its quotes. `sources`: the file of each passage; `cot`: the prompt asks for quotes."""
    parsed = parse(reply.raw, prompt.reply_format)
    citations = [cite(quote, context, sources) for quote in parsed.quotes]
    if not cot and parsed.parsed:
        citations = _sentences(parsed.prediction, context, sources)
    verdict = _verdict(parsed.prediction, parsed.parsed, citations, prompt, cot and bool(context))
    note = NOTES[verdict] + (" It was cut off: model.max_new_tokens." if reply.truncated else "")
    return CitedAnswer(parsed.prediction, parsed.reason, citations, verdict, note.strip())


def cite(quote: str, context: Sequence[ContextPassage], sources: Sequence[str]) -> Citation:
    """Finds a quote verbatim, apart from white space, in the first passage that contains it."""
    words = quote.split()
    pattern = re.compile(r"\s+".join(map(re.escape, words))) if words else None
    for number, (passage, source) in enumerate(zip(context, sources, strict=True), start=1):
        match = pattern.search(passage.text) if pattern else None
        if match:
            return Citation(
                quote,
                True,
                number,
                passage.id,
                passage.document_id,
                passage.title,
                passage.place,
                source,
                *match.span(),
            )
    return Citation(quote, False)


def _sentences(answer: str, context: Sequence[ContextPassage], sources: Sequence[str]) -> list[Citation]:
    """Cites, for a model that does not quote, the first sentence of each passage that contains the (open) answer."""
    pattern = answer_pattern([answer])
    if pattern is None:
        return []
    cited = []
    for passage in context:
        sentences = re.split(r"(?<=[.!?])\s+", passage.text)
        text = next((sentence for sentence in sentences if pattern.search(normalise(sentence))), "")
        cited += [cite(text, context, sources)] if text and holds(pattern, passage) else []
    return cited


def _verdict(answer: str, parsed: bool, citations: list[Citation], prompt: PromptConfig, quotes: bool) -> Verdict:
    if parsed and (not normalise(answer) or abstained(answer, prompt.refusal)):
        return "refused"
    if any(citation.verbatim for citation in citations):
        return "quoted"
    if not parsed:
        return "unparsed"
    if citations:
        return "not_verbatim"
    closed = normalise(answer) in CLOSED_CLASS
    return "unsupported" if quotes or not closed else "answered"
