"""The answers of TriviaQA: a value and its aliases. The evaluation script accepts the normalised form of each."""

from collections.abc import Mapping, Sequence

from raft_exp.core.text import plain_words
from raft_exp.core.triviaqa import normalize
from raft_exp.corpora.readers.fields import Fields


def accepted(answer: Fields, names: Mapping[str, str]) -> list[str]:
    """Returns the answers of a record as texts. Their normalised forms are those that the evaluation script accepts.

    The script accepts NormalizedAliases and the normalised HumanAnswers. For each of these forms, the result has the
    value and the aliases with this form, or else the form itself. Without NormalizedAliases, it has the value and all
    aliases.

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
    """Returns the answers, with the longest one that `text` contains as the first.

    The first answer is the target of training, so it should be an answer that the gold passage contains. The published
    order is arbitrary, for example "N Z" before "New Zealand". Scores do not depend on the order.
    """
    words = f" {plain_words(text)} "
    inside = [answer for answer in answers if f" {plain_words(answer)} " in words and plain_words(answer)]
    if not inside:
        return list(answers)
    best = max(inside, key=lambda answer: (len(plain_words(answer)), answer in text))
    return [best, *(answer for answer in answers if answer != best)]
