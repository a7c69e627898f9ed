"""The claims of a reply, and the passages that each claim cites.

A reply in the requested form gives reasons, with quotes of passages between markers, and an answer. Its claims are:

- The sentences of the reasons that stand outside quotes. The text between two quotes is split into sentences
  (`corpora.sentences`). A piece that shares a sentence with a quote is no claim, because the quote itself is compared
  with the passages word for word: the piece before a quote without a full stop at its end ("The text says:"), and the
  piece after a quote that continues its sentence (it begins with a small letter; or with a digit or a letter without
  case, and the quote has no full stop at its end). A sentence of fewer than LEAST_WORDS words ("Hence yes.") is no
  claim. A sentence that occurs again counts once.
- The sentences of the answer. An answer such as "1902" is no statement on its own. Therefore the model reads the
  question and then the answer, as ALCE does with the short answers of QAMPARI.

A claim of the reasons cites the quotes that are nearest to it: those with the fewest other claims between the quote and
the claim. If quotes before and after the claim are equally near, it cites those before it, because RAFT's replies quote
first and then conclude. A claim of the answer cites all quotes of the reply, because the answer follows from all
reasons. A quote cites the passages of the prompt that contain it (`prompts.quotes`). An invented quote cites nothing.

A reply that declines to answer has no claims. Of a reply without the requested form, the whole text gives claims, and
there is no answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raft_exp.core import words
from raft_exp.core.records import ContextPassage
from raft_exp.corpora.sentences import sentences_of
from raft_exp.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, REASON, ParsedReply, ReplyFormat, lenient, parse, quotes
from raft_exp.prompts.refusals import abstained
from raft_exp.prompts.visible import without_thinking

LEAST_WORDS = 3  # least number of words of a claim of the reasons
_STOPS = ".!?\N{HORIZONTAL ELLIPSIS}\u3002\uff01\uff1f\uff61\u0964\u0965\u061f\u06d4\u17d4\u104b\u0f0d"
_CLOSING = "\"'\u2019\u201d\u00bb\u300d\u300f\u300b\uff09)] \t\n*_"  # may follow a full stop


@dataclass(frozen=True)
class Claim:
    """A claim of a reply."""

    text: str
    hypothesis: str  # the text that passages must support; of a claim of the answer, question and text
    answer: bool
    passages: tuple[int, ...]  # the cited passages: places in the context, from 0, ascending


@dataclass(frozen=True)
class ReplySettings:
    """The settings by which replies are read."""

    reply_format: ReplyFormat
    refusal: str
    min_quote_words: int


def claims_of(raw: str, question: str, context: Sequence[ContextPassage], settings: ReplySettings) -> list[Claim]:
    """Returns the claims of a reply in their order, those of the answer last; [] for a reply that declines to answer.

    `context`: the passages of the prompt.
    """
    shown = without_thinking(raw)
    reply = parse(shown, settings.reply_format)
    answered = reply.prediction or lenient.said(shown, question).text
    if abstained(answered, settings.refusal, question):
        return []
    sentences, quoted = _pieces(reply)
    cited = [_passages(quote, context, settings.min_quote_words) for quote, _ in quoted]
    before = [place for _, place in quoted]
    reasons = [
        Claim(text, text, False, _union(cited[quote] for quote in _nearest(place, before)))
        for place, text in enumerate(sentences)
    ]
    answers = [_one_spaced(sentence) for sentence in sentences_of(_without_markers(reply.prediction, " "))]
    said = [sentence for sentence in dict.fromkeys(answers) if _has_words(sentence)]
    return [*reasons, *(Claim(text, f"{question} {text}", True, _union(cited)) for text in said)]


def _pieces(reply: ParsedReply) -> tuple[list[str], list[tuple[str, int]]]:
    """Returns the claims of the reasons, and the quotes, each with the number of claims before it."""
    claims: dict[str, None] = {}
    found: list[tuple[str, int]] = []
    first, *others = reply.reason.split(BEGIN_QUOTE)
    last_quote = ""
    text = first
    for piece in others:
        quote, closed, after = piece.partition(END_QUOTE)
        if not closed:  # a piece without an end marker is no quote: it continues the text
            text += f"\n{piece}"
            continue
        claims |= dict.fromkeys(_sentences(text, last_quote, quote))
        found.append((quote.strip(), len(claims)))
        text, last_quote = after, quote
    claims |= dict.fromkeys(_sentences(text, last_quote, ""))
    return list(claims), found


def _sentences(text: str, before: str, after: str) -> Iterator[str]:
    """Yields the claims in the text between two quotes. `before`, `after`: the quotes; "" at an end of the reply."""
    plain = _without_markers(text, "\n\n")
    sentences = [sentence for sentence in map(_one_spaced, sentences_of(plain)) if _has_words(sentence)]
    if before and sentences and _continues(plain, before):
        sentences = sentences[1:]
    if after and sentences and not _ends(sentences[-1]):
        sentences = sentences[:-1]
    for sentence in sentences:
        if words.count(sentence) >= LEAST_WORDS:
            yield sentence


def _nearest(place: int, before: Sequence[int]) -> list[int]:
    """Returns the quotes that are nearest to a claim, by number. `before`: the number of claims before each quote."""
    distances = [(place - count, 0) if count <= place else (count - place - 1, 1) for count in before]
    return [quote for quote, distance in enumerate(distances) if distance == min(distances)]


def _passages(quote: str, context: Sequence[ContextPassage], min_words: int) -> list[int]:
    return [
        place for place, passage in enumerate(context) if quotes.find(quote, passage.text, passage.title, min_words)
    ]


def _union(places: Iterator[list[int]] | list[list[int]]) -> tuple[int, ...]:
    return tuple(sorted({place for each in places for place in each}))


def _ends(text: str) -> bool:
    """Whether a text ends with a mark that ends a sentence (. ! ? ...), aside from closing quotes and brackets."""
    return text.rstrip(_CLOSING)[-1:] in tuple(_STOPS)


def _continues(text: str, quote: str) -> bool:
    """Whether a text after a quote continues the sentence of the quote. The text must have a letter or a digit."""
    place = next(place for place, letter in enumerate(text) if letter.isalnum())
    stopped = _ends(quote) or any(mark in _STOPS for mark in text[:place])
    return text[place].islower() or not (text[place].isupper() or stopped)


def _without_markers(text: str, between: str) -> str:
    for marker in (REASON, ANSWER, BEGIN_QUOTE, END_QUOTE):
        text = text.replace(marker, between)
    return text


def _has_words(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _one_spaced(sentence: str) -> str:
    """Returns a sentence with single spaces, without punctuation at its start, which ends the sentence before it."""
    return " ".join(sentence.split()).lstrip(_STOPS + ",;:) ")
