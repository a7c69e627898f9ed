"""Extracts an open answer, from the text after an answer marker (`bare`) or from a whole reply (`answer`)."""

import re

from raft_exp.core.text import plain_words
from raft_exp.core.words import count
from raft_exp.prompts import short_answers

_AROUND = " \t\r\n*_`\"'“”‘’«»„‚‹›「」『』{}[]<>$~"
_ENDS = ".;,:!。，；：" + _AROUND
_LEADING_MARKER = re.compile(r"\A\s*#+\s*\w+\s*(?:#+\s*:?|[:：])\s*")
_DOLLARS = re.compile(r"\s?\$(?!\S)")
_NEXT_MARKER = re.compile(r"(?<!#)##+\s*\w|<\||</?[a-z]\w*>")
_NEXT_QUESTION = re.compile(
    r"^[ \t#*]{0,9}(?:question|q|human|user|problem|example|frage|pregunta|问题|質問|السؤال|प्रश्न)(?:\s\d{1,3})?"
    r"[*]{0,2}\s?[:：]",
    re.I | re.M,
)
# "Paris. It is ..." ends at the full stop; "St. Louis", "J. R. R. Tolkien", "U.S. Army", "Portugal. The Man" do not
SENTENCE_END = re.compile(
    r"(?:(?<=[a-z]{3})|(?<=[\d%)*\"'”]))[.!?][*\"'”]{0,2}\s+(?=[*\"“(]{0,3}[A-Z]\S*(?:\s+\S+){2})|。"
)
_REASON = re.compile(
    r"(?:,|\s-|\s–|\s—|;)?\s+(?:because|since)\s.*|(?:,|;)\s+(?:as\s+(?:stated|mentioned|described|shown|"
    r"given|noted|indicated|the|it|he|she|they|this)"
    r"|according\s+to|based\s+on|due\s+to|which|who|where|whose)\s.*"
    r"|\s+(?:as|which)\s+(?:is\s+)?(?:stated|mentioned|described|shown|indicated|noted)\s+(?:in|by|above)\s.*",
    re.S,
)
_NOT_BUT = re.compile(r"\A[\W_]*(?:not|it\s+(?:is|was)\s+not)\s[^.;\n]{1,100}?[,;]?\s+but\s+(?:rather\s+)?(?=\S)", re.I)
_RATHER = re.compile(r"(?:,\s+(?:and\s+)?not|\s+rather\s+than|\s+instead\s+of|,\s+but\s+not)\s.*", re.S)
_REFERENCE = re.compile(
    r"\s*[\[(](?:(?:see\s)?(?:passage|document|doc|source|context|note|p\.|page)[^\[\]()]{0,60})[\])]|\s*\[\d{1,3}\]",
    re.I,
)
_ASIDE = re.compile(
    r"(?<=\S)\s+\((?:(?:the|a|an|in|also|as|who|which|from|born|note|not|although|" r"though)\s)[^()]{0,200}\)?\W*\Z"
)
_ECHO = re.compile(
    r"\W*(?:[{<\[]\s?(?:your |the |short |final )*answer(?: here)?\s?[}>\]]|\.{3,}|…|(?:a |the )?(?:few|"
    r"short) words?|a short (?:phrase|answer|span)|"
    r"your answer(?: here)?|insert answer(?: here)?|answer here|short answer|[{<\[]\s?(?:reason|text|name|"
    r"entity)\s?[}>\]])\W*",
    re.I,
)
_EITHER = re.compile(
    r"\A\W*(?:(?:it|that|this)\s(?:is|was|could\sbe|may\sbe|might\sbe)\s|possibly\s|perhaps\s|"
    r"maybe\s)?either\s.{1,200}\sor\s",
    re.I,
)
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|mathit|mbox|operatorname|emph)\s?\{([^{}]{0,500})\}?")
_BOLD_START = re.compile(r"\A\W{0,5}(?:\*\*|__)([^*_\n]{1,100})(?:\*\*|__)(?!\w)")
_BULLET = re.compile(r"\A\s{0,9}(?:[-*•+]|\d{1,2}[.)])\s+(?=\S)")
_EXPLANATION = re.compile(
    r"^[ \t#*_]{0,9}(?:explanation|reason(?:ing)?|rationale|justification|note|source|context|evidence|"
    r"supporting|passage|references?|details|confidence)"
    r"(?:\s[^\n:]{0,40})?[:：]",
    re.I | re.M,
)
_FILLER = re.compile(
    r"(?:sure|okay|ok|certainly|of course|absolutely|great question|good question|thank|thanks|hello|hi|"
    r"i hope|hope (?:this|it|that)|let me|please|"
    r"here(?:'s| is| are)|feel free|if you|is there|i'd be|i would be happy|let's|the following|below is|"
    r"step by step)\b[^\n]{0,200}",
    re.I,
)
_DENIAL = re.compile(r"\A\W*(?:it|that|this|he|she)\s(?:is|was)(?:n['’]t|\snot)\s[^,;]{1,200}\Z", re.I)
_LONG_SENTENCE = 2000  # characters; longer ones have no short answer
_READ = 60  # number of lines and sentences that are read at each end of a reply
_LONGEST = 40  # words of an answer; longer text is no answer


def bare(text: str, question: str = "") -> str:
    """Returns the answer in the text after an answer marker; "" if there is none.

    The answer is the first line, without reasons, further sentences and surrounding punctuation.
    """
    line = _first_line(text)
    if decided := short_answers.yes_or_no(line, question):
        return decided
    if not line or _ECHO.fullmatch(line):
        return ""
    line = unlatexed(_NEXT_MARKER.split(line.strip(), maxsplit=1)[0])
    line = _BULLET.sub("", line)
    line = next(iter(_sentences(line)), "")
    is_sentence = short_answers.is_sentence(line, question)
    return (is_sentence and _shortened([line], question)) or _clean(line)


def answer(text: str, question: str = "") -> str:
    """Returns the answer in a reply without an answer marker; "" if it cannot be found, or if the reply is a list."""
    text = _body(text)
    lines = [_LEADING_MARKER.sub("", line, count=1) for line in text.splitlines()]
    lines = [line for line in lines if line.strip(_ENDS) and not _is_filler(line)]
    if not lines:
        return ""
    if decided := short_answers.yes_or_no(lines[0], question):
        return decided
    bullets = sum(bool(_BULLET.match(line)) for line in lines)
    if bullets > 1 and bullets == len(lines):  # a list names several answers
        return ""
    lines = lines if len(lines) <= 2 * _READ else [*lines[:_READ], *lines[-_READ:]]
    sentences = [part for line in lines for part in _sentences(_BULLET.sub("", line))]
    sentences = [part for part in sentences if not _is_filler(part) and not _DENIAL.match(part)]
    sentences = sentences if len(sentences) <= 2 * _READ else [*sentences[:_READ], *sentences[-_READ:]]
    last = _BULLET.sub("", lines[-1]).strip()
    if not sentences:
        return ""
    if not short_answers.is_sentence(last, question) and len(_sentences(last)) == 1:
        return _clean(last)
    if not short_answers.is_sentence(sentences[0], question):
        return _clean(sentences[0])
    return _shortened(sentences, question)


def next_question(reply: str, start: int) -> int | None:
    """Returns the position of a new question that follows the answer of a reply; None if no question follows.

    `start`: position of the answer.
    """
    line = reply.find("\n", start)
    if line < 0:
        return None
    match = _NEXT_QUESTION.search(reply, line)
    return match.start() if match and reply[start : match.start()].strip() else None


def before_next_question(reply: str, question: str) -> str:
    """Cuts a reply before a line "Question: ..." that follows text, unless this line repeats `question`."""
    for match in _NEXT_QUESTION.finditer(reply):
        before, asks = reply[: match.start()].strip(), reply[match.end() :].partition("\n")[0]
        if before and not before.endswith(":") and not _FILLER.match(before):
            return reply if question and plain_words(asks) == plain_words(question) else before
    return reply


def _body(text: str) -> str:
    """Cuts a reply before a question or an explanation that follows its answer."""
    for pattern in (_NEXT_QUESTION, _EXPLANATION):
        for match in pattern.finditer(text):
            before = text[: match.start()].strip(_ENDS)
            if before and not _FILLER.fullmatch(before.rstrip(":")):
                text = text[: match.start()]
                break
    return text


def _sentences(line: str) -> list[str]:
    """Splits a line into sentences, with their full stops."""
    ends = [match.end() for match in SENTENCE_END.finditer(line)]
    parts = [line[start:end].strip() for start, end in zip([0, *ends], [*ends, len(line)], strict=True)]
    return [part for part in parts if part.strip(_ENDS)]


def _is_filler(text: str) -> bool:
    return bool(_FILLER.match(text.strip(_AROUND))) and len(_sentences(text)) <= 1


def _shortened(sentences: list[str], question: str) -> str:
    read = [sentence for sentence in sentences if len(sentence) <= _LONG_SENTENCE]
    short = short_answers.find(read, question)
    return _clean(short) if short else ""


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip(_AROUND)), "")


def unlatexed(line: str) -> str:
    """Removes LaTeX commands around words: `\\text{yes}` becomes yes."""
    if "\\" not in line:
        return line
    line = _LATEX.sub(r"\1", _LATEX.sub(r"\1", line))
    return re.sub(r"\\([%$#&_{}])", r"\1", re.sub(r"\\[,;:! ()\[\]]|~", " ", line)).replace("  ", " ")


def _clean(line: str) -> str:
    """Removes a reason after the answer and punctuation around it.

    Returns "" for a template ("[your answer]"), a hedge ("either A or B") and text of more than `_LONGEST` words.
    """
    if _ECHO.fullmatch(line) or _EITHER.match(line):
        return ""
    if bold := _BOLD_START.match(line):
        line = bold[1]
    line = _NOT_BUT.sub("", line)
    shorter = _REFERENCE.sub("", _ASIDE.sub("", line))
    for pattern in (_REASON, _RATHER):
        cut = pattern.sub("", shorter, count=1)
        shorter = cut if cut.strip(_ENDS) else shorter
    shorter = short_answers.without_lead(shorter)
    text = _with_sign(shorter.strip(_AROUND).rstrip(_ENDS).strip(_AROUND).strip(), shorter)
    return text if count(text) <= _LONGEST else ""


def _with_sign(text: str, line: str) -> str:
    """Restores the sign beside a number that `_clean` removed ($4.20, <5, 4,20 $), except for a pair of $, as in LaTeX.

    `text`: the answer; `line`: the line from which it was cut.
    """
    before, _, after = line.partition(text or "\n")
    sign = before[-1:]
    if text[-1:].isdigit() and _DOLLARS.match(after) and "$" not in before:
        return f"{text} $"
    signed = text[:1].isdigit() and sign and sign in "$<>" and not (sign == "$" and "$" in after)
    return sign + text if signed else text
