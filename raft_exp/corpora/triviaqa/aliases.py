"""The answers of TriviaQA: a value and its aliases, of which the evaluation script accepts every normalised form."""

from collections.abc import Mapping, Sequence

from raft_exp.core.text import plain_words
from raft_exp.core.triviaqa import normalize
from raft_exp.corpora.readers.fields import Fields


def accepted(answer: Fields, names: Mapping[str, str]) -> list[str]:
    """Returns the answers of a record as texts. Their normalised forms are those that the evaluation script accepts.

    These are NormalizedAliases, and the normalised HumanAnswers. For each form the texts are the value and the aliases
    with this form, else the form itself. Without NormalizedAliases the value and all aliases are returned.

    `names`: the field names of the layout, by the authors' names.
    """
    value = answer.text(names["Value"])
    spelt = [*([value] if value else []), *answer.texts(names["Aliases"])]
    human = answer.texts(names["HumanAnswers"])
    official = answer.texts(names["NormalizedAliases"])
    forms = {normalize(text) for text in [*official, *human]}
    kept = [text for text in spelt if not official or normalize(text) in forms]
    known = {normalize(text) for text in [*kept, *human]}
    return list(dict.fromkeys([*kept, *human, *(text for text in official if normalize(text) not in known)]))


def as_written_first(answers: Sequence[str], text: str) -> list[str]:
    """Returns the answers with the one first that a text has, the longest if there are several.

    The first answer is the target of training, and should be the one that the gold passage has. Lists of aliases begin
    with any alias: "N Z" stands before "New Zealand". Scores do not depend on the order.
    """
    words = f" {plain_words(text)} "
    inside = [answer for answer in answers if f" {plain_words(answer)} " in words and plain_words(answer)]
    if not inside:
        return list(answers)
    best = max(inside, key=lambda answer: (len(plain_words(answer)), answer in text))
    return [best, *(answer for answer in answers if answer != best)]
