"""Finds the gold passages of questions that name neither passages nor documents, as in FlashRAG's data sets.

The gold passage is the best search hit that contains an answer word for word, as in the training data of DPR
(Karpukhin et al. 2020, arXiv 2004.04906). The hits are published with the question, or BM25 finds them in the whole
collection. Other hits with an answer are neither gold nor distractors. Published hits without an answer are published
distractors.

`gold_search.py` has the rules for a long answer that no hit contains.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.core.text import answer_pattern
from raft_exp.corpora.gold import FoundGold
from raft_exp.retrieval import word_index
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.text import searched_text

FIRST = 100  # the gold passage is searched among so many first passages of a ranking, as for DPR


class AnswerSearches:
    """Searches a collection for gold passages.

    `indexed`: the folder of stage `index`. None: the index is built at the first search, in a temporary folder.
    """

    def __init__(self, collection: Passages, indexed: Path | None = None) -> None:
        self._collection = collection
        self._searched = Bm25(indexed, np.arange(len(collection))) if indexed else None
        self._folder: TemporaryDirectory[str] | None = None

    def among(self, answers: Sequence[str], ranked: Sequence[int]) -> FoundGold:
        """Returns the gold among ranked passages (ordinals); `FoundGold.passages` is [] if none holds an answer."""
        search = answer_pattern(answers, self._collection.form)
        holding = [at for at in ranked if search and search.search(self._collection[at].text)]
        given = [at for at in ranked if at not in holding]
        return FoundGold(holding[:1], "search", holding[1:], given=given)

    def in_collection(self, question: str, answers: Sequence[str]) -> FoundGold:
        """Returns the gold among the first `FIRST` passages of a BM25 search, as `among` does, without distractors."""
        asked = Question("", question, [*answers], [], "test")
        ranked = islice(self._bm25().ranked(asked), FIRST)
        gold = self.among(answers, [ordinal for ordinal, score in ranked if score > 0])
        return replace(gold, given=[])  # published distractors belong to the split of their question; these do not

    def closest(self, text: str) -> int | None:
        """Returns the ordinal of the passage with the best BM25 score for a text; None if none has a word of it."""
        ordinal, score = next(self._bm25().ranked(Question("", text, [], [], "test")))
        return ordinal if score > 0 else None

    def _bm25(self) -> Bm25:
        if self._searched is None:
            self._folder = TemporaryDirectory(prefix="raft_exp_")
            texts = (searched_text(passage) for passage in self._collection)
            word_index.write(Path(self._folder.name), texts, any_language=self._collection.any_language)
            self._searched = Bm25(Path(self._folder.name), np.arange(len(self._collection)))
        return self._searched
