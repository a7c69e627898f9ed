"""The sentences of gold passages that are closest to a text, by ROUGE-L (Lin 2004)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from raft_exp.core.records import Passage

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def closest_sentences(text: str, gold: Sequence[Passage], most: int, least: float) -> list[str]:
    """At most `most` gold sentences, in text order, each with at least the share `least` of the best F-score."""
    sentences = [sentence for passage in gold for sentence in passage.sentences if sentence.strip()]
    scores = [_rouge_l().score(text, sentence)["rougeL"].fmeasure for sentence in sentences]
    best = sorted(range(len(sentences)), key=lambda place: (-scores[place], place))[:most]
    chosen = [place for place in best if scores[place] >= least * scores[best[0]]]
    return [sentences[place] for place in sorted(chosen)]


@lru_cache(maxsize=1)
def _rouge_l() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)
