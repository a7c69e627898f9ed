"""Recognises answers that decline to answer.

Such an answer begins with the study's own sentence (`prompt.refusal`) or with one of the refusals listed below, and
gives no answer after it ("I do not know, but probably ..."). "No" alone is an answer.
"""

import re

from raft_exp.core.text import normalise

# Patterns of normalised text: lower case, one blank between words, no punctuation ("don't" is "don t").
_NOT = (
    r"(?:do|does|did|is|are|was|were|can|could)(?: not|nt|n t)|(?:doesn|don|didn|isn|aren|can|couldn) t|can ?not|cant"
)
_SOURCE = (
    r"(?:given |provided |above |retrieved )?(?:passages?|contexts?|documents?|texts?|articles?|information|sources?)"
    r"(?: (?:given|provided|above))?"
)
_TELLS = r"(?:hold|contain|provide|mention|say|state|tell|give|include|answer|specify|support|have|discuss|address)"
_REFUSALS = re.compile(
    "|".join(
        [
            rf"(?:(?:sorry|unfortunately|so) )?(?:i|we) (?:{_NOT}) (?:know|answer|tell|say|determine|find)\b",
            r"(?:(?:sorry|unfortunately) )?(?:i am|i m|im|we are) (?:not sure|unsure|unable to|not able to)\b",
            rf"(?:the (?:answer|question)|it|this|that)(?: question)? (?:{_NOT})(?: be)? "
            r"(?:answered|answerable|determined|found|known|inferred|stated|mentioned|given|specified|clear)"
            rf"(?= (?:from|by|in|here|whether|who|what|when|where|which|how|why)\b|$)",
            rf"(?:based on|from|according to) the {_SOURCE} (?:i |it |this )?(?:{_NOT}) (?:be )?[a-z]+\b",
            rf"(?:{_NOT}) be (?:answered|determined|found|inferred)\b",
            rf"(?:the |these |this )?{_SOURCE} (?:{_NOT}) {_TELLS}\b",
            rf"none of the {_SOURCE} {_TELLS}s?\b",
            r"(?:there is )?(?:no|not enough|insufficient) (?:information|answer|mention|context|data)"
            r"(?= (?:about|of|on|in|to|is|was|that|given|provided|here|for)\b|$)",
            rf"not (?:mentioned|stated|given|specified|answerable|known|in the {_SOURCE})\b",
            r"unanswerable\b|noanswer\b|unable to (?:answer|determine|tell|say)\b",
        ]
    )
)
_AFTER_ALL = re.compile(r"\b(?:but|however|although|though|probably|likely|perhaps|i think|i guess|my guess|still)\b")


def abstained(answer: str, refusal: str) -> bool:
    """Whether an answer declines to answer. `refusal` is the study's own sentence, "" for none."""
    words = normalise(answer)
    own = normalise(refusal)
    if own and (words == own or words.startswith(f"{own} ")):
        return not _AFTER_ALL.search(words[len(own) :])
    match = _REFUSALS.match(words)
    return match is not None and not _AFTER_ALL.search(words[match.end() :])
