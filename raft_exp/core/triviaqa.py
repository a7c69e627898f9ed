"""The normalisation of TriviaQA (Joshi et al. 2017), by which answers are compared with aliases."""

import re
import string

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))


def normalize(text: str) -> str:
    """Normalises a text as TriviaQA's evaluation script does.

    The result is in lower case, without articles and repeated spaces. A space replaces each ASCII punctuation mark,
    underscore and quotation mark (‘ ’ ´ `). HotpotQA's normalisation deletes punctuation instead: `AC/DC` becomes
    `acdc` there and `ac dc` here.
    """
    words = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", words).split())
