"""The answers of TriviaQA: a value and its aliases. The evaluation script accepts the normalised form of each."""

from collections.abc import Mapping

from raft_exp.core.triviaqa import normalize
from raft_exp.corpora.readers.fields import Fields


def accepted(answer: Fields, names: Mapping[str, str]) -> list[str]:
    """Returns the answers of a record whose normalised form the evaluation script accepts.

    The script accepts the forms in NormalizedAliases and the normalised HumanAnswers. The result has the value and the
    aliases with such a form, then the HumanAnswers, then each accepted form that none of these texts has. Without
    NormalizedAliases, the result has the value, all aliases and the HumanAnswers.

    `names`: authors' name of a field -> its name in this layout.
    """
    value = answer.text(names["Value"])
    spelt = [*([value] if value else []), *answer.texts(names["Aliases"])]
    human = answer.texts(names["HumanAnswers"])
    official = answer.texts(names["NormalizedAliases"])
    forms = {normalize(text) for text in [*official, *human]}
    kept = [text for text in spelt if not official or normalize(text) in forms]
    known = {normalize(text) for text in [*kept, *human]}
    return list(dict.fromkeys([*kept, *human, *(text for text in official if normalize(text) not in known)]))
