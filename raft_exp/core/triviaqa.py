"""The normalisation of TriviaQA (Joshi et al. 2017), by which answers are compared with aliases."""

import re
import string

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))


def normalize(text: str) -> str:
    """Normalises a text as TriviaQA's evaluation script does.

    Lower case; a space in place of each ASCII punctuation mark, underscore and quotation mark (‘ ’ ´ `); without
    articles; single spaces. HotpotQA's normalisation deletes punctuation instead: `AC/DC` is `acdc` there and `ac dc`
    here.
    """
    words = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", words).split())
