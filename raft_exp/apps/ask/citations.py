"""Finds the citations of a reply in the passages of its context."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from raft_exp.core.records import Answer, ContextPassage
from raft_exp.core.text import CLOSED_CLASS, answer_pattern, holds, normalise
from raft_exp.corpora.sentences import sentences_of
from raft_exp.prompts import PromptConfig, lenient, parse, quotes
from raft_exp.prompts.refusals import abstained

Verdict = Literal["quoted", "answered", "unsupported", "not_verbatim", "unparsed", "refused", "nothing_found"]

NOTES: dict[Verdict, str] = {
    "quoted": "",
    "answered": "",
    "unsupported": "No quote from the documents supports the reply: do not rely on it.",
    "not_verbatim": "The quotes of the reply are in none of the retrieved passages: do not rely on it.",
    "unparsed": "The reply does not have the required form.",
    "refused": "According to the model, the documents do not contain the answer.",
    "nothing_found": "No passage shares a word with the question: the documents do not contain the answer.",
}


@dataclass(frozen=True)
class Citation:
    """A quote of a reply.

    `passage`: number of the first passage of the context that contains the quote, from 1; None if no passage does.
    """

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
    reply: Answer,
    context: Sequence[ContextPassage],
    sources: Sequence[str],
    prompt: PromptConfig,
    cot: bool,
    min_words: int = quotes.MIN_WORDS,
    question: str = "",
) -> CitedAnswer:
    """Parses a reply and checks its quotes against the passages of `context`.

    `sources`: the file of each passage. `cot`: whether the prompt asks for quotes; if not, the citations are the first
    sentence with the answer in each passage. `min_words`: a quote with fewer words never counts as verbatim.
    `question`: helps to recognise refusals that repeat words of the question.
    """
    parsed = parse(reply.raw, prompt.reply_format)
    citations = [cite(quote, context, sources, min_words) for quote in parsed.quotes]
    if not cot and parsed.parsed:
        citations = _sentences(parsed.prediction, context, sources)
    said = parsed.prediction if parsed.parsed else lenient.said(reply.raw, question).text
    declines = abstained(said, prompt.refusal, question)
    verdict = _verdict(parsed.prediction, parsed.parsed, declines, citations, cot and bool(context))
    note = NOTES[verdict] + (" The reply was cut off at model.max_new_tokens." if reply.truncated else "")
    return CitedAnswer(parsed.prediction, parsed.reason, citations, verdict, note.strip())


def cite(
    quote: str, context: Sequence[ContextPassage], sources: Sequence[str], min_words: int = quotes.MIN_WORDS
) -> Citation:
    """Returns the citation of the first passage that contains the quote. An ellipsis in the quote matches any text.

    If no passage contains the quote, the citation has `passage=None`.
    """
    for number, (passage, source) in enumerate(zip(context, sources, strict=True), start=1):
        if spans := quotes.find(quote, passage.text, passage.title, min_words):
            return Citation(
                quote,
                True,
                number,
                passage.id,
                passage.document_id,
                passage.title,
                passage.place,
                source,
                spans[0][0],
                spans[-1][1],
            )
    return Citation(quote, False)


def _sentences(answer: str, context: Sequence[ContextPassage], sources: Sequence[str]) -> list[Citation]:
    """Returns citations for a model that does not quote: of each passage, the first sentence with the answer.

    Returns [] for an answer such as yes or no, which cannot be searched for.
    """
    pattern = answer_pattern([answer])  # compares words in every corpus, so that a reader can check the sentence
    if pattern is None:
        return []
    cited = []
    for passage in context:
        sentences = (sentence.strip() for sentence in sentences_of(passage.text))
        text = next((sentence for sentence in sentences if pattern.search(sentence)), "")
        cited += [cite(text, context, sources, 1)] if text and holds(pattern, passage) else []
    return cited


def _verdict(answer: str, parsed: bool, declines: bool, citations: list[Citation], must_quote: bool) -> Verdict:
    if declines or (parsed and not normalise(answer)):
        return "refused"
    if any(citation.verbatim for citation in citations):
        return "quoted"
    if not parsed:
        return "unparsed"
    if citations:
        return "not_verbatim"
    closed = normalise(answer) in CLOSED_CLASS
    return "unsupported" if must_quote or not closed else "answered"
