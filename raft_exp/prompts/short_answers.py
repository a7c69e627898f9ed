"""Shortens a sentence to the answer that it contains: "It was set to 21 in 1984." -> "21" or "1984".

The words of the question decide: "when" asks for a date, "how many" for a number, "A or B" for one of the two. For
other questions, the answer is the words of the sentence that are not in the question. The reference answer is never
used.
"""

import re
from collections.abc import Sequence

from raft_exp.prompts import answer_kinds as kinds
from raft_exp.prompts.function_words import FUNCTION_WORDS

_PAIRS = (
    "won win|wrote write|written write|sang sing|sung sing|built build|made make|held hold|sold sell|took "
    "take|found find|led lead|gave give|"
    "given give|began begin|begun begin|became become|died die|dead die|lost lose|sank sink|sunk sink|fought "
    "fight|went go|gone go|left leave|"
    "said say|spoke speak|spoken speak|taught teach|thought think|bought buy|brought bring|drew draw|drawn "
    "draw|ate eat|fell fall|flew fly|"
    "got get|grew grow|grown grow|kept keep|knew know|known know|lay lie|meant mean|met meet|paid pay|ran "
    "run|saw see|seen see|sent send|"
    "told tell|wore wear|came come|did do|does do|had have|has have|was be|were be|is be|are be|played "
    "play|lies lie|discoverer discover|"
    "discovery discover|inventor invent|author write|founder found|winner win|people person|earth earth"
)
_BASE = dict(pair.split() for pair in _PAIRS.split("|"))
_VERBS = re.compile(
    r"(?<![^\W_])(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|may|might|must|"
    r"should|became|becomes|says|said|stated|"
    r"meant)(?:n['’]t)?(?![^\W_])"
)
_TOKEN = re.compile(r"[^\W_]+(?:['’.&/-][^\W_]+)*\.?(?=\s[A-Z])|[^\W_]+(?:['’.,&/-][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_END = (".", "!", "?", '."', ".”", ".**", ".*", ".)")
_LEAD = re.compile(
    r"\A[\W_]{0,5}(?:(?:according\sto|based\son|from|in|as\s(?:stated|mentioned|described|shown)\sin|given|"
    r"per|looking\sat|considering|using)\s"
    r"(?:the\s|this\s|that\s|these\s|all\s|what\s)?(?:\w+\s){0,3}?(?:passages?|contexts?|documents?|texts?|"
    r"articles?|information|sources?|abstracts?|paragraphs?|evidence|excerpts?)"
    r"(?:\s\d{1,3})?(?:\s(?:provided|given|above|itself))?,?\s"
    r"|(?:therefore|thus|hence|so|then|overall|in\sconclusion|in\ssummary|in\sshort|finally|consequently|"
    r"clearly|sure|certainly|yes|well|also|moreover|as\sa\sresult|and|but|however)[,:!]?\s"
    r"|(?:i\s(?:think|believe|would\ssay|guess|assume)|my\s(?:best\s)?guess\sis|it\s(?:seems|appears)|"
    r"we\s(?:know|see|can\s(?:see|conclude|say|infer))|it\sis\s(?:clear|likely|stated|known|probable)|"
    r"(?:the\s|this\s)?(?:passage|context|document|text|article|source|author|abstract|paragraph|information|"
    r"excerpt)s?(?:\s\d{1,3}|\sabove|\sprovided)?\s"
    r"(?:clearly\s|explicitly\s|also\s)?(?:says?|states?|mentions?|tells?\sus|tells?|shows?|indicates?|"
    r"suggests?|explains?|reveals?|notes?|confirms?))(?:,|\sthat)?\s"
    r"|(?:probably|likely|perhaps|maybe|possibly|most\slikely|presumably)[,\s]\s?)",
    re.I,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,100})\*\*|__([^_\n]{1,100})__")
_CONCLUDES = re.compile(
    r"\W*(?:therefore|thus|hence|so|in conclusion|overall|consequently|in summary|as a result|finally)\b", re.I
)
_AFTER_VERB = (
    "a",
    "an",
    "the",
    "in",
    "on",
    "at",
    "for",
    "from",
    "by",
    "to",
    "with",
    "about",
    "his",
    "her",
    "their",
    "its",
    "as",
    "that",
    "near",
    "into",
)
_REASONS = re.compile(
    r"\bwhy\b|\bhow (?:do|does|did|is|are|was|were|can|could|has|have|to)\b", re.I
)  # any sentence may answer
_PRONOUN = re.compile(r"\W*(?:it|he|she|they|this|that|there|these|those)\s", re.I)
_LONGEST = 300  # maximum number of words of a sentence


def is_sentence(text: str, question: str = "") -> bool:
    """Whether a text is a sentence, not a bare answer.

    A sentence has a verb and ends with a full stop. A word of `question`, or a pronoun at the start, can replace the
    full stop. A text of one or two words is no sentence; a text of more than `_LONGEST` words is one. Shorter texts are
    no sentences if the question is like "why ...?", because a whole sentence can be its answer.
    """
    words = text.split()
    if not 2 < len(words) <= _LONGEST:
        return len(words) > _LONGEST
    verb, ended = bool(_VERBS.search(text)), text.rstrip().endswith(_END)
    acts = ended and (verb or _has_main_verb(text, _stems(question)))
    if _REASONS.search(question):
        return False
    if not question or (verb and ended):
        return acts
    opened = bool(_PRONOUN.match(without_lead(text)))
    shared = len(_stems(text) & _stems(question))
    return (verb and (shared > 0 or opened)) or (acts and (shared > 0 or opened))


def _has_main_verb(text: str, asked: set[str]) -> bool:
    """Whether a word after the first looks like a verb: an irregular form (sang), -ed, or -s before an object.

    `asked`: stems of the question's words.
    """
    words = [word.strip('.,;:!?"”') for word in text.split()]
    if _PRONOUN.match(text) and re.fullmatch(r"[a-z]+(?:s|ed)", words[1]):
        return True
    for word, following in zip(words[1:], [*words[2:], ""], strict=True):
        if word.lower() in _BASE or re.fullmatch(r"[a-z]{2,}ed", word):
            return word.islower()
        if re.fullmatch(r"[a-z]{2,}[^s\W]s", word) and (
            following[:1].isupper() or following in _AFTER_VERB or (following and _stem(word) in asked)
        ):
            return True
    return False


def yes_or_no(text: str, question: str) -> str:
    """Returns the "yes" or "no" at the start of a reply to a yes-or-no question; "" for other questions and replies."""
    if not kinds.YES_NO.match(question) or kinds.options(question):
        return ""
    begins = re.match(r"\W*(yes|no)(?=\W*\Z|\W*[,.;:!\n–—])", text, re.I)
    return begins[1].lower() if begins else ""


def without_lead(sentence: str) -> str:
    """Removes openings such as "According to the passage," and "So" from a sentence, unless nothing would remain."""
    for _ in range(4):
        lead = _LEAD.match(sentence)
        if not lead or not sentence[lead.end() :].strip():
            break
        sentence = sentence[lead.end() :]
    return sentence


def find(sentences: Sequence[str], question: str) -> str:
    """Returns the answer in the sentences of a reply; "" if none can be found.

    A concluding sentence ("Therefore, ...") is read first, then the five with the most words of the question.
    """
    read = [without_lead(sentence) for sentence in sentences]
    last = [sentence for sentence in sentences if _CONCLUDES.match(sentence)][-1:]
    asked = _stems(question)
    ranked = sorted(read, key=lambda sentence: -len(_stems(sentence) & asked))
    for sentence in [*map(without_lead, last), *ranked[:5]]:
        if short := _of_sentence(sentence, question, asked):
            return short
    return ""


def _of_sentence(sentence: str, question: str, asked: set[str]) -> str:
    spans = [bold[1] or bold[2] for bold in _BOLD.finditer(sentence)]
    new = [span for span in spans if _stems(span) - asked and not span.rstrip().endswith(":")]
    if len(new) == 1:
        return new[0]
    sentence = re.sub(r"[*_`]{1,3}", "", sentence)
    if not question:
        return kinds.complement(sentence, lambda text: 0.0) if _PRONOUN.match(sentence) else ""
    if options := kinds.options(question):
        return kinds.chosen(sentence, options)
    if kinds.YES_NO.match(question):
        return ""
    kind = kinds.kind(question)
    fresh = [token for token in _TOKEN.findall(sentence) if _stem(token) not in asked]
    if kind == "date":
        return kinds.date(sentence, question) or kinds.place(sentence, fresh)
    if kind in ("number", "count", "often"):
        return kinds.number(sentence, question, kind)
    if kind == "place" and (place := kinds.place(sentence, fresh)):
        return place
    if agent := kinds.agent(sentence, question):
        return agent
    return kinds.complement(sentence, lambda text: _share(text, asked)) or _new_words(sentence, asked)


def _share(text: str, asked: set[str]) -> float:
    """Returns the share of a text's content words that are in the question. `asked`: stems of the question's words."""
    stems = _stems(text)
    return len(stems & asked) / len(stems) if stems else 0.0


def _new_words(sentence: str, asked: set[str]) -> str:
    """Returns the first run of words that are not in the question; runs that begin with a capital are preferred."""
    runs: list[list[re.Match[str]]] = [[]]
    for token in _TOKEN.finditer(sentence):
        known = _stem(token[0]) in asked or token[0].lower() in FUNCTION_WORDS
        joins = (
            runs[-1]
            and token[0].lower() in ("of", "the", "and", "de", "van", "von", "der", "la", "&")
            and _stem(token[0]) not in asked
        )
        gap = sentence[runs[-1][-1].end() : token.start()] if runs[-1] else ""
        if (known and not joins) or "," in gap or ";" in gap:
            runs.append([])
        if not known or joins:
            runs[-1].append(token)
    trimmed = [_trimmed(run) for run in runs]
    texts = [sentence[run[0].start() : run[-1].end()] for run in trimmed if run]
    names = [text for text in texts if text[0].isupper() and not kinds.DATE.fullmatch(text)]
    others = [text for text in texts if not kinds.DATE.fullmatch(text)]
    return (names or others or [""])[0]


def _trimmed(run: list[re.Match[str]]) -> list[re.Match[str]]:
    while run and run[-1][0].lower() in FUNCTION_WORDS | {"de", "van", "von", "der", "la"}:
        run = run[:-1]
    return run


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text) if word.lower() not in FUNCTION_WORDS} - {""}


def _stem(word: str) -> str:
    word = re.sub(r"['’]s\Z", "", word.lower()).strip(".")
    word = _BASE.get(word, word)
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            return word[: -len(ending)]
    return word
