"""Teacher `extractive`: the reason quotes the data set's own evidence sentences. It uses no model.

Where the data set has no evidence, the quotes are the gold sentences with the highest ROUGE-L F-score (Lin 2004)
against its long answer (for PubMedQA the conclusion), in the order of the text. Where it has no long answer either, the
quote is the gold sentence with the highest ROUGE-L against question and answer.
"""

from collections.abc import Sequence
from typing import Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import Positive, Share, config_dataclass
from raft_exp.corpora.closest_sentences import closest_sentences
from raft_exp.prompts import quote


@config_dataclass
class ExtractiveConfig:
    """Limits on the quotes where the data set has no evidence of its own."""

    name: Literal["extractive"]
    max_sentences: Positive  # most sentences of a reason
    min_score: Share  # least ROUGE-L of the second and later sentences, as a share of the best one


def write(config: ExtractiveConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """The first answer, with verbatim quotes from the gold passages as the reason."""
    if unsupported(question):
        sentences = closest_sentences(f"{question.question} {question.answers[0]}", gold, 1, 1.0)
    else:
        most, least = config.max_sentences, config.min_score
        sentences = _published(question, gold) or closest_sentences(question.explanation, gold, most, least)
    return Target(question.id, question.answers[0], " ".join(quote(sentence) for sentence in sentences))


def unsupported(question: Question) -> bool:
    """Whether the data set gives no reason for the answer: no evidence in a gold passage, and no long answer."""
    return not question.explanation and not any(name in question.gold for name, _ in question.evidence)


def _published(question: Question, gold: Sequence[Passage]) -> list[str]:
    texts = {passage.id: passage.sentences for passage in gold}
    return [texts[passage_id][index] for passage_id, index in question.evidence if passage_id in texts]
