"""Finds the short answer in a sentence: a date, number, place, agent or option. The question determines the kind."""

import re
from collections.abc import Callable, Sequence
from typing import Literal

Kind = Literal["date", "number", "count", "often", "place", "person", "other"]

YES_NO = re.compile(r"\W*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b", re.I)
_KINDS: list[tuple[Kind, re.Pattern[str]]] = [
    ("often", re.compile(r"\bhow often\b", re.I)),
    ("count", re.compile(r"\bhow many\b|\bwhat (?:is|was) the (?:total )?(?:number|population)\b", re.I)),
    (
        "number",
        re.compile(
            r"\bhow (?:much|old|long|tall|high|far|big|large|deep|fast|heavy|wide|hot|cold)\b"
            r"|\bwhat(?:'s| is| was| are| were)? (?:the )?(?:\w+ )?(?:\w+ )?(?:percentage|share|proportion|"
            r"population|speed|temperature|price|cost|height|length|age|weight|distance)\b",
            re.I,
        ),
    ),
    ("date", re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade)\b", re.I)),
    (
        "place",
        re.compile(
            r"\bwhere\b|\b(?:what|which) (?:city|country|state|town|place|continent|county|province|village)\b", re.I
        ),
    ),
    (
        "person",
        re.compile(
            r"\bwho(?:m|se)?\b|\b(?:what|which) (?:person|actor|actress|singer|author|player|president|king|"
            r"queen|director)\b",
            re.I,
        ),
    ),
]
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan\.?|"
    r"Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?)"
)
_YEAR = r"\d{3,4}(?:\s?(?:BC|AD|BCE|CE))?"
DATE = re.compile(
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|"
    rf"th)?(?:,?\s{_YEAR})?(?!\d)|{_MONTH},?\s(?:of\s)?{_YEAR}|{_MONTH}(?![a-z])"
    rf"|(?:the\s)?(?:early|mid|late)?[\s-]?\d{{3,4}}s|(?:the\s)?(?:\d{{1,2}}(?:st|nd|rd|th)|\w+teenth|"
    rf"twentieth|twenty-first)\scentur(?:y|ies)(?:\s(?:BC|AD))?"
    rf"|(?<![\d$€£.,])\d{{3,4}}\s?(?:–|-|to|until|and)\s?\d{{4}}(?!\d)|(?<![\d$€£.,])(?:1\d{{3}}|"
    rf"20\d{{2}})(?!\d|[.,]\d|%)|\d{{1,4}}\s(?:BC|AD|BCE|CE)"
    r"|(?:on\s)?(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)"
)
_NUMBER_WORD = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen|eighteen|nineteen|twenty|thirty|forty|"
    r"fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|dozen|half|zero)"
)
_UNIT = (
    r"(?:square |cubic |light[- ]|nautical )?(?:km/h|mph|km|cm|mm|m|kg|g|mg|miles?|feet|foot|ft|inch(?:es)?|"
    r"met(?:re|er)s?|kilomet(?:re|er)s?|centimet(?:re|er)s?|years?|months?|weeks?|"
    r"days?|hours?|minutes?|seconds?|tons?|tonnes|pounds|lbs|ounces|degrees|°C|°F|acres|hectares|dollars|"
    r"euros|cents|knots|stor(?:e?y|ies)|floors|mmHg)"
    r"(?: (?:per|a|an|of) (?:second|hour|day|week|month|year|minute))?(?![^\W_])"
)
_NUMBER = re.compile(
    rf"(?:[$€£¥]\s?)?(?<![\w.,])\d+(?:[.,]\d+)*(?:\s?(?:million|billion|trillion|thousand|hundred|"
    rf"dozen)s?)?(?:\s?(?:%|percent|per\scent))?(?![\w])"
    rf"|(?<![^\W_]){_NUMBER_WORD}(?:[ -](?:and )?{_NUMBER_WORD})*(?![^\W_])",
    re.I,
)
_MONEY_OR_UNIT = re.compile(
    rf"(?:\s|-)?{_UNIT}(?:\s{_NUMBER.pattern}\s{_UNIT})?(?:\s(?:old)(?![^\W_]))?|\sper\s\w+|\sa\s(?:month|year|"
    rf"week|day)\b",
    re.I,
)
_OFTEN = re.compile(
    rf"(?:every\s(?:\w+\s)?(?:\w+)|(?:once|twice|{_NUMBER_WORD}\stimes|\d+\stimes)(?:\s(?:a|per|every|"
    rf"each)\s(?:\w+\s)?\w+)?|annually|yearly|monthly|weekly|daily|biannually)",
    re.I,
)
_NAME = r"(?:[A-Z][^\W_]*(?:['’.&-][^\W_]+)*\.?|[A-Z]\.)"
_NAMES = rf"(?:the |The )?{_NAME}(?:(?:,? (?:of|the|de|van|von|der|la|le|del|da|al|bin|and|&) |,? |(?:, )){_NAME})*"
_PLACE = re.compile(
    rf"(?<![^\W_])(?:in|at|on|from|near|to|inside|outside|off|across|under|within)\s((?:the\s|a\s)?(?:{_NAMES}|"
    rf"[a-z][\w'-]*(?:\s(?!in\b|at\b|on\b|from\b|by\b|for\b|with\b|and\b|when\b|where\b|which\b|"
    rf"to\b)[a-z][\w'-]*){{0,3}}))"
)
_AGENT = re.compile(
    rf"(?<![^\W_])by\s((?:the\s|a\s)?(?:{_NAMES}|[a-z][\w'-]*(?:\s(?!in\b|at\b|on\b|for\b|with\b|"
    rf"and\b)[a-z][\w'-]*){{0,4}}))"
)
_COPULA = re.compile(
    r"(?<![^\W_])(?:is|are|was|were|means|(?:would|could|will|may|must|should) be|has been|became|becomes)(?![^\W_])"
)
_CALLED = re.compile(
    r"\A(?:\w+ly\s)?(?:called|named|known as|titled|entitled|nicknamed|located in|situated in|set to|held by|"
    r"spoken in|made of|based in)\s+",
    re.I,
)
_ADVERB = re.compile(
    r"\A(?:\w{3,}ly|in fact|also|indeed|about|approximately|around|now|then|still|currently)\s+(?=\S)", re.I
)
_STOP = re.compile(
    r"\s(?:who|which|that|whose|where|when|while|because|since|although|as|after|before|during|according|"
    r"and\s(?:is|was|it|he|she|they|has)|but)\s.*|[;:]\s.*|\s[-–—]\s.*"
    r"|,\s(?=(?:a|an|the|which|who|where|when|whose|while|and|with|in|as|at|on|but|not|then|because|since|"
    r"also|including|having|being|making|located|born|one|both)\s).*"
    r"|\s(?:in|on|at|since|from|around|by)\s(?:the\s)?(?:early\s|late\s|mid-?)?\d.*|\s\(.*",
    re.S,
)


def kind(question: str) -> Kind:
    """Returns the kind of answer that a question asks for; "other" for an unknown kind."""
    return next((name for name, pattern in _KINDS if pattern.search(question)), "other")


def options(question: str) -> tuple[str, str] | None:
    """Returns the two names of a question such as "Which is older, A or B?" or "Which of the ships A and B ...?".

    Returns None for other questions.
    """
    match = re.search(rf"({_NAMES}),?\sor\s(?:the\s|was\s|is\s|did\s)?({_NAMES})", question)
    if not match and re.match(r"\W*(?:which|who|what)\b.{0,60}?\b(?:of|between)\b", question, re.I):
        match = re.search(rf"({_NAMES})\sand\s(?:the\s)?({_NAMES})", question)
    if not match:
        return None
    one, other = (
        re.sub(r"\A(?:Is|Are|Was|Were|Did|Does|Which|Who|What|The|the)\s", "", name).strip(" ,")
        for name in match.groups()
    )
    return (one, other) if one and other and one != other else None


def chosen(sentence: str, names: tuple[str, str]) -> str:
    """Returns the name that the sentence chooses, of the two `names`; "" if it chooses none or both."""
    clauses = [
        *reversed(re.split(r"[,;]\s|\s(?:so|therefore|thus|hence|while|whereas|and|but)\s|\.\s", sentence)),
        sentence,
    ]
    concluding = [part for part in clauses if re.search(r"(?:er|more|most|est|first|than|answer|loaded|one)\b", part)]
    for part in [*concluding, sentence]:
        found = [name for name in names if re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", part, re.I)]
        if len(found) == 1:
            return found[0]
        if len(found) == 2 and (than := re.search(r"\b(?:than|before|not|compared|rather)\b", part)):
            before = [name for name in names if name.lower() in part[: than.start()].lower()]
            if len(before) == 1:
                return before[0]
    return ""


def date(sentence: str, question: str) -> str:
    """Returns the first date that the sentence contains and the question does not; "" if there is none.

    Dates with digits are preferred to dates such as "Friday".
    """
    found = [match[0].strip() for match in DATE.finditer(sentence) if match[0].strip().lower() not in question.lower()]
    found = [re.sub(r"\Aon\s", "", text) for text in found]
    return max(found, key=lambda text: bool(re.search(r"\d", text)), default="")


def number(sentence: str, question: str, asked: Kind) -> str:
    """Returns a number that the sentence contains and the question does not; "" if there is none.

    `asked`: kind of the question. For "number" the result includes the unit, for "count" the result is a bare number,
    and for "often" the result is the first frequency of the sentence ("twice a year"). A number with a unit is
    preferred. Returns "no" for a sentence without a number that denies a word of the question ("no survivors").
    """
    if asked == "often":
        often = _OFTEN.search(sentence)
        return often[0] if often else ""
    dates = [] if asked == "number" and "age" in question else [match.span() for match in DATE.finditer(sentence)]
    found = []
    for match in _NUMBER.finditer(sentence):
        known = re.search(rf"(?<![\w.,]){re.escape(match[0])}(?![\w])", question, re.I)
        dated = any(start <= match.start() < end for start, end in dates)
        if (
            known
            or (dated and not re.match(r"[$€£]", match[0]))
            or (match[0].lower() == "one" and not sentence[match.end() :].startswith(" "))
        ):
            continue
        unit = _MONEY_OR_UNIT.match(sentence, match.end()) if asked == "number" else None
        found.append(
            (
                bool(unit) or match[0][0] in "$€£" or "%" in match[0] or "percent" in match[0],
                match[0] + (unit[0] if unit else ""),
            )
        )
    found.sort(key=lambda pair: not pair[0])
    none = re.search(r"(?<![^\W_])no\s(\w+)", sentence)
    return found[0][1].strip() if found else "no" if none and none[1].lower() in question.lower() else ""


def place(sentence: str, fresh: Sequence[str]) -> str:
    """Returns the place after a preposition ("in Paris"); names are preferred; "" if there is none.

    `fresh`: the words of the sentence that are not in the question; the place must contain one of them.
    """
    words = {word.lower() for word in fresh}
    found = [
        match[1] for match in _PLACE.finditer(sentence) if not DATE.match(match[1]) and not re.match(r"\d", match[1])
    ]
    found = [text for text in found if any(word.lower().strip(".,") in words for word in text.split())]
    named = [text for text in found if re.search(r"[A-Z]", text)]
    return (named or found or [""])[0]


def agent(sentence: str, question: str) -> str:
    """Returns the agent X of a passive sentence ("was written by X").

    Returns "" if there is no agent, or if the question contains X or the word "by".
    """
    match = _AGENT.search(sentence)
    if not match or match[1].lower() in question.lower() or re.search(r"\bby\b", question):
        return ""
    return _STOP.sub("", match[1], count=1)


def complement(sentence: str, known: Callable[[str], float]) -> str:
    """Returns the new side of a sentence "X is Y": Y if the question contains X, X if the question contains Y.

    `known` returns the share of a text's words that are in the question. Returns "" for a sentence of another form.
    """
    copula = _COPULA.search(sentence)
    if not copula:
        return ""
    left, right = sentence[: copula.start()].strip(), sentence[copula.end() :].strip()
    pronoun = re.fullmatch(r"\W*(?:it|he|she|they|this|that|there|the answer|these)\W*", left, re.I)
    if pronoun and (relative := re.match(r"(.{2,100}?)\s(?:who|that|which)\s", right)):
        return relative[1]
    if pronoun or known(left) >= known(right):
        right = _CALLED.sub("", _ADVERB.sub("", right))
        short = _STOP.sub("", right, count=1).strip()
        return "" if re.match(r"\w+(?:ed|en)\s(?:in|on|by|at|to|for|from|with)\s", short) else short
    left = re.sub(r",.*", "", left) if re.search(r",\s(?:which|who|a|an|the)\s", left) else left
    return left.strip()
