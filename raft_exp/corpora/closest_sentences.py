"""The sentences of gold passages that are most similar to a text, by ROUGE-L (Lin 2004)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from raft_exp.core import words
from raft_exp.core.records import Passage
from raft_exp.core.scripts import is_mostly_latin

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def closest_sentences(text: str, gold: Sequence[Passage], most: int, least: float) -> list[str]:
    """Returns the gold sentences most similar to a text, at most `most`, in the order of the passages; [] without any.

    Similarity is the F-score of ROUGE-L. The score of each sentence is at least `least` times the best score.
    """
    sentences = [sentence for passage in gold for sentence in passage.sentences if sentence.strip()]
    scorer = _rouge_l(is_mostly_latin("".join([text, *sentences])))
    scores = [scorer.score(text, sentence)["rougeL"].fmeasure for sentence in sentences]
    best = sorted(range(len(sentences)), key=lambda place: (-scores[place], place))[:most]
    chosen = [place for place in best if scores[place] >= least * scores[best[0]]]
    return [sentences[place] for place in sorted(chosen)]


@lru_cache(maxsize=2)
def _rouge_l(latin: bool) -> "RougeScorer":
    """Returns the ROUGE-L scorer. `latin`: with its own tokenizer (Latin letters and digits), else `words.scored`."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True, tokenizer=None if latin else _Words())


class _Words:
    def tokenize(self, text: str) -> list[str]:
        """Returns the words of a text in any language. The interface is that of rouge-score."""
        return words.scored(text).split()
