"""Teacher `extractive`: reasons by quoting the data set's own evidence sentences; no model is asked.

Where the data set names no evidence, it is the gold sentences with the highest ROUGE-L (F) against its long answer
(PubMedQA's conclusion; Lin 2004), in the order of the text. Where it has no long answer either, it is the one gold
sentence closest to question and answer, so that ordinary question files need neither.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import Positive, Share, config_dataclass
from raft_exp.prompts import quote


@config_dataclass
class ExtractiveConfig:
    """How much is quoted where the data set names no evidence itself."""

    name: Literal["extractive"]
    max_sentences: Positive  # at most so many sentences
    min_score: Share  # the second and later ones need at least this share of the best sentence's ROUGE-L


def write(config: ExtractiveConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """The first answer, reasoned by verbatim quotes from the gold passages."""
    if unsupported(question):
        sentences = _closest(f"{question.question} {question.answers[0]}", gold, 1, 1.0)
    else:
        most, least = config.max_sentences, config.min_score
        sentences = _published(question, gold) or _closest(question.explanation, gold, most, least)
    return Target(question.id, question.answers[0], " ".join(quote(sentence) for sentence in sentences))


def unsupported(question: Question) -> bool:
    """Whether the data set says nothing of why: neither evidence in a gold passage nor a long answer."""
    return not question.explanation and not any(name in question.gold for name, _ in question.evidence)


def _published(question: Question, gold: Sequence[Passage]) -> list[str]:
    texts = {passage.id: passage.sentences for passage in gold}
    return [texts[passage_id][index] for passage_id, index in question.evidence if passage_id in texts]


def _closest(text: str, gold: Sequence[Passage], most: int, least: float) -> list[str]:
    """At most so many gold sentences; all but the best need that share of its score."""
    sentences = [sentence for passage in gold for sentence in passage.sentences if sentence.strip()]
    scores = [_rouge_l().score(text, sentence)["rougeL"].fmeasure for sentence in sentences]
    best = sorted(range(len(sentences)), key=lambda place: (-scores[place], place))[:most]
    kept = [place for place in best if scores[place] >= least * scores[best[0]]]
    return [sentences[place] for place in sorted(kept)]


@lru_cache(maxsize=1)
def _rouge_l() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)
