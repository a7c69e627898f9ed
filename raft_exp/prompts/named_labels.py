"""Finds the label (yes, no, maybe) that a reply names. A hedge of several labels ("yes or no") counts as none."""

import re
from collections.abc import Sequence

# After a marker, a hedge in the first 300 characters and after at most 6 words means that no label is named.
_FIRST, _WORDS_BEFORE = 300, 6
_BEFORE = (
    r"(?:(?:(?:a|an|the|is|it is|it's|that|clear|clearly|definite|definitely|probably|likely|most likely|"
    r"simply|just|resounding|"
    r"certainly|surely|almost certainly|strong|qualified|tentative|tentatively|cautious|overall|therefore|"
    r"thus|so|hence|i would say|option|choice)\b"
    r"|\(?[a-e1-9][).:](?=\s)|[a-e]:)[\s,:*_\"'(]{1,6}){0,6}"
)
# "no" before one of these words, or before a sign, is an answer; before other words it is not: "no difference"
_AFTER_NO = (
    r"(?=\s{0,3}(?:[^\w\s]|\n|\Z)|\s+(?:the|it|this|that|there|they|he|she|we|these|those|because|"
    r"since|as|in|i|not|for)\b)"
)
_BY_ITSELF = (
    r"(?=[\"'*_`)\]}]{0,4}\s{0,2}(?:[,.;:!?)\]}<]|[-–—]\s|\n|\Z|(?:because|since|as|for|according|based)\b|\())"
)
_INTRODUCED = (
    r"(?:(?:^|[.!?:;,\n>(\[—–-])[\s\"'*_`(\[{>#-]{0,9}"
    r"|(?<![^\W_])(?:so|therefore|thus|hence|is|be|say|answer|answers|think|conclude|likely|probably|"
    r"definitely|certainly|option|decision|a|was|leaning|lean|leans|towards|toward|to|clearly|simply)"
    r"[\s\"'*_`(\[{:]{1,6})"
)
_BETWEEN = (
    r"[ \t,/|;&()\"'*_`-]{0,6}(?:(?:or|and|but|and/or|vs|versus|possibly|perhaps|also|then|if|either|"
    r"even)[ \t,\"'*_`]{1,4}){0,3}"
)
_NEGATED = (
    r"not\s+(?:a\s+)?[\"'*]{0,3}(?:LABEL)[\"'*]{0,3}\s?[,;]?\s+(?:but|it is|rather)\s+(?:rather\s+|"
    r"it is\s+|a\s+)?(?=[\"'*]{0,3}(?:LABEL)\b)"
)


def named(text: str, labels: Sequence[str], marked: bool) -> str:
    """Returns the label that a text names, in lower case; "" if the text names no label, or hedges ("yes or no").

    `marked`: whether the text follows an answer marker; then only the first line of the text is read.
    """
    label = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True))
    text = re.sub(_NEGATED.replace("LABEL", label), " ", text, flags=re.I)
    hedged = re.compile(
        rf"(?<![^\W_])(?:{label})\b{_BETWEEN}(?:(?:{label})\b{_by_itself_or_label(label)}{_BETWEEN})+", re.I
    )
    if marked:
        text = text.strip().partition("\n")[0]
        hedge = hedged.search(text[:_FIRST])
        if hedge and len(_distinct(hedge[0], label)) > 1 and text[: hedge.start()].count(" ") <= _WORDS_BEFORE:
            return ""
        start = re.match(rf"[\W_]{{0,20}}{_BEFORE}({label})\b(?!-?\w)", text, re.I)
        if start:
            return start[1].lower()
    plain = hedged.sub(lambda match: " " if len(_distinct(match[0], label)) > 1 else match[0], text)
    found = [
        match[1].lower() for match in re.finditer(rf"{_INTRODUCED}({label})\b(?!-\w){_BY_ITSELF}", plain, re.I | re.M)
    ]
    if found:
        return found[-1]
    first_word = re.match(rf"[\W_]{{0,20}}{_BEFORE}({label})\b(?!-?\w)({_AFTER_NO})?", plain.strip(), re.I)
    if first_word and (first_word[1].lower() != "no" or first_word[2] is not None):
        return first_word[1].lower()
    return ""


def _by_itself_or_label(label: str) -> str:
    return rf"(?=[\s\"'*_`)\]}}.,;:!?/|-]{{0,4}}(?:\Z|\n|[.,;:!?)/|]|(?:or|and|but|{label})\b))"


def _distinct(text: str, label: str) -> set[str]:
    return {name.lower() for name in re.findall(rf"(?<![^\W_])(?:{label})(?![^\W_])", text, re.I)}
