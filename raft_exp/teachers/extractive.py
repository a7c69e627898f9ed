"""Teacher `extractive`: the reasoning of a target quotes evidence sentences of the data set. It uses no model.

If a question has no published evidence, the quotes are the gold sentences with the highest ROUGE-L F-score (Lin 2004)
against the question's long answer (in PubMedQA: the conclusion), in the order of the text. If the question has no long
answer either, the quote is the one gold sentence with the highest ROUGE-L F-score against question and answer.
"""

from collections.abc import Sequence
from typing import Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import Positive, Share, config_dataclass
from raft_exp.corpora.closest_sentences import closest_sentences
from raft_exp.prompts import quote


@config_dataclass
class ExtractiveConfig:
    """Limits on the quotes of questions without published evidence."""

    name: Literal["extractive"]
    max_sentences: Positive  # largest number of quoted sentences
    min_score: Share  # least ROUGE-L of the second and later sentences, as a share of the score of the best one


def write(config: ExtractiveConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """Returns a target with the question's first answer. The reasoning consists of quotes from the gold passages."""
    if unsupported(question):
        sentences = closest_sentences(f"{question.question} {question.answers[0]}", gold, 1, 1.0)
    else:
        most, least = config.max_sentences, config.min_score
        sentences = _published(question, gold) or closest_sentences(question.explanation, gold, most, least)
    return Target(question.id, question.answers[0], " ".join(quote(sentence) for sentence in sentences))


def unsupported(question: Question) -> bool:
    """Returns whether a question has neither a long answer nor published evidence in a gold passage."""
    return not question.explanation and not any(name in question.gold for name, _ in question.evidence)


def _published(question: Question, gold: Sequence[Passage]) -> list[str]:
    texts = {passage.id: passage.sentences for passage in gold}
    return [texts[passage_id][index] for passage_id, index in question.evidence if passage_id in texts]
