"""Finds sentences of a prompt that look like an answer. Small models repeat such a sentence as their reply."""

import re

_ADJECTIVES = r"(?:(?:final|correct|right|true|best|short|expected|only|possible|valid|given)\s+)*"
_NAME = rf"(?:(?:the|an?|your|my|its|each|every|all|this)\s+)?{_ADJECTIVES}(?:answers?|reply|replies|response|output)"
_VERB = r"(?:is|are|was|were|will|would|should|shall|must|can|could|may|might|has|have|consists?|comes?|reads?)\b"
_LABEL = r"(?:yes|no|maybe|true|false)\b(?=\W*(?:[,.;/|]|or\b|and\b|$))"
# "The answer is a few words.", "##Answer: yes or no", "A: a name", "It is yes, no or maybe", "Yes, no or maybe."
_ANSWER_LIKE = re.compile(
    rf"[\W_]*(?:{_NAME}[*_`\"'\s]*(?:[:：=]|{_VERB})|(?:a|ans)\s*[:：]|(?:it|this|that)\s+(?:is|will|should|must)\b|{_LABEL})",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


def answer_like(text: str) -> str:
    """Returns the first sentence of a task that looks like an answer ("The answer is yes or no."); "" if none does."""
    sentences = (sentence.strip() for sentence in _SENTENCE.split(text))
    return next((sentence for sentence in sentences if _ANSWER_LIKE.match(sentence)), "")
