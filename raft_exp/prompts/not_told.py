"""Recognises clauses that only state that the answer is not in the passages.

Such a clause has a word of denial ("not", "no", "missing") and a word of telling ("mention", "know", "information").
All its other words occur in the question or are about passages and answers, so that it cannot contain an answer. An
example for the question "who built the mill?": "the builder's name is nowhere to be found in passage 2".
"""

import re

from raft_exp.prompts.function_words import FUNCTION_WORDS

_DENIAL = re.compile(
    r"not|no|none|never|neither|nor|nothing|nobody|nowhere|without|lacks?|lacking|missing|absent|fail(?:s|"
    r"ed)?|omit(?:s|ted)?|"
    r"insufficient|inadequate|impossible|silent|hard|difficult|few|little|need(?:s|ed)?|requir(?:e|es|ed)|"
    r"more|additional|mystery|"
    r"un(?:able|known|clear|certain|sure|specified|stated|mentioned|named|identified|disclosed|available|"
    r"answered|answerable|"
    r"determined|defined|documented|recorded|addressed|reported|given|told|aware|confirmed|explained|provided|"
    r"listed)|indeterminate"
)
_TELLING = re.compile(
    r"mention\w*|stat(?:e|es|ed|ing)|sa(?:y|ys|id|ying)|tells?|told|specif\w+|provid\w+|giv(?:e|es|en|ing)|"
    r"gave|includ\w+|contain\w*|"
    r"discuss\w*|address\w*|disclos\w+|indicat\w+|nam(?:e|es|ed)|identif\w+|identity|describ\w+|cover(?:s|ed|"
    r"ing)?|answer\w*|"
    r"determin\w+|kn(?:ow|ows|own|ew)|knowledge|find\w*|found|infer\w*|reveal\w*|report(?:s|ed)?|explain\w*|"
    r"clari\w+|clear|sure|"
    r"certain|available|info|information|details?|contexts?|data|idea|clue|hint|references?|aware|access|"
    r"present|listed|"
    r"recorded|show(?:s|n)?|suggest\w*|confirm\w*|decid\w+|deduc\w+|establish\w*|conclu\w+|suppl\w+|help\w*|"
    r"relevant|applicable|"
    r"possible|see|seen|locat(?:e|ed)|offer\w*|hold|holds|support\w*|speak\w*|talk\w*|refer\w*|respon\w+|"
    r"silent|mystery|exist\w*|"
    r"appear\w*|draw|drawn|guess|documented|learn|hint\w*|go|goes|come|comes|touch\w*|list"
)
_REMAINS = re.compile(r"\b(?:is|are|was|were|been|remains?|remained|seems?|stays?) (?:\w{3,}ly )?un(?!i)\w+")
_ABOUT = re.compile(
    r"passages?|contexts?|documents?|texts?|articles?|sources?|abstracts?|paragraphs?|excerpts?|snippets?|"
    r"materials?|content|"
    r"authors?|writers?|records?|results?|stor(?:y|ies)|section|question|query|sorry|apolog\w+|afraid|"
    r"regret\w*|exact|specific|"
    r"explicit|direct|definite|anywhere|enough|sufficient|able|based|according|given|above|following|"
    r"retrieved|related|regarding|"
    r"concerning|about|further|point|topic|subject|matter|thing|things|anything|something|someone|anyone|way|"
    r"part|portion|"
    r"read\w*|review\w*|search\w*|look\w*|check\w*|us(?:e|ed|ing)|mine|me|us|either|neither|both|each|first|"
    r"second|third|two|"
    r"three|all|else|other|others|others|further|provided|supplied|here|yet|now|far|just|such|within|inside|"
    r"regard|respect|"
    r"question|ask(?:ed|s)?|asking|user|need|please|seem(?:s|ed)?|remain(?:s|ed)?|left|leave|leaves|open|make|made|"
    r"able|at|hand|however|therefore|because|since|thus|hence|still|even|though|although|while|whereas|"
    r"unfortunately|\w{3,}ly|"
    r"will|would|could|can|may|might|must|shall|should|think|believe|ai|model|assistant|language|answer|"
    r"answers|fact|kind|sort|"
    r"name|names|person|people|individual|date|year|time|place|location|number|amount|value|figure|reason|"
    r"cause|length|age"
)
_SHORT_FORMS = frozenset({"s", "t", "ve", "re", "m", "d", "ll"})  # what is left of "it's" and the like
_QUERIES = frozenset({"who", "whom", "whose", "when", "where", "why", "which", "how"})
_KINDS = {  # the noun of a question word
    "who": "name person identity people individual",
    "when": "date year time day period",
    "where": "place location site whereabouts",
    "why": "reason cause motive",
    "long": "length duration",
    "old": "age",
    "tall": "height",
    "high": "height",
    "far": "distance",
    "many": "number count total amount quantity",
    "much": "amount price cost quantity",
    "born": "birth birthplace birthday",
    "died": "death",
}
_PREFIX = 4  # letters that words of one family share: built, builder


def says_nothing(words: str, question: str = "") -> bool:
    """Whether a clause only states that the answer is not in the passages.

    `words`: the clause in lower case, with single spaces and without punctuation.
    """
    said = words.split()
    if not 0 < len(said) <= 40 or not any(map(_DENIAL.fullmatch, said)):
        return False
    asked = _family(question)
    untold = said[-1].startswith("un") and any(word[:_PREFIX] in asked for word in said[:-1])  # "builder: unknown"
    if not any(map(_TELLING.fullmatch, said)) and not untold and not _REMAINS.search(words):
        return False
    return not any(_is_content(word, asked) for word in said)


def speaks_of(words: str, question: str) -> bool:
    """Whether a clause is about the question: it has a content word of the question, and no other question word.

    `words`: as for `says_nothing`.
    """
    asked, said = _family(question), words.split()
    other_query = any(word in _QUERIES and word not in question.lower().split() for word in said)
    content = (word for word in said if word not in FUNCTION_WORDS and not _TELLING.fullmatch(word))
    return not other_query and any(word[:_PREFIX] in asked for word in content)


def _is_content(word: str, asked: frozenset[str]) -> bool:
    known = (
        word in FUNCTION_WORDS
        or word in _SHORT_FORMS
        or _DENIAL.fullmatch(word)
        or _TELLING.fullmatch(word)
        or _ABOUT.fullmatch(word)
    )
    return not known and word[:_PREFIX] not in asked and not (word.isdigit() and len(word) < 3)


def _family(question: str) -> frozenset[str]:
    """Returns the first four letters of the question's content words, and of the nouns for its question words.

    For example "who" asks for "name" and "person".
    """
    words = re.findall(r"[^\W_]+", question.lower())
    nouns = [noun for word in words for noun in _KINDS.get(word, "").split()]
    return frozenset(word[:_PREFIX] for word in [*words, *nouns] if word not in FUNCTION_WORDS)
