"""The settings `dataset.*`: how a RAFT training set is built."""

from typing import Literal

from pydantic import model_validator

from raft_exp import retrieval
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, Share, config_dataclass
from raft_exp.dataset.distractor_count import DistractorCount, least, most, shown
from raft_exp.prompts import PromptMode
from raft_exp.retrieval import Distractors, Shares

TrainingContext = Literal["gold_and_distractors", "retrieved", "given"]


@config_dataclass
class DatasetConfig:
    """How a RAFT training set is built.

    A training row shows the model a question and a context of passages, and teaches it a target. D is
    `num_distractors`; if this is a range, each question has a D of its own. g is the number of gold passages:

    - With gold (a share p of the training rows): the context has the g gold passages and D distractors.
    - Without gold (the other rows): the context has D + g distractors with `constant_size`, else D. With
      `constant_size` the number of passages does not reveal whether gold is missing. `no_gold_target` and
      `refuse_share` decide the target. With `partial_gold` the context also has half of the gold passages, and with
      `constant_size` fewer distractors by the same number.

    With `context` other than `gold_and_distractors`, the context does not depend on p and D (`training_contexts.py`).
    """

    p: Share  # share of training rows whose context holds the gold, before any cut; exactly round(p * rows)
    num_distractors: DistractorCount  # D, or the range {min, max} of D
    distractors: Distractors  # the source of the distractors
    mixed: Shares | None  # with distractors=mixed: the share of each source
    max_score: float | None  # bm25 and dense: highest score of a distractor against the question
    relative_margin: Share | None  # bm25 and dense: a distractor scores at least this share below the best gold passage
    prompt_mode: PromptMode  # format of the user message
    cot: bool  # targets have reasoning before the answer
    constant_size: bool  # rows without gold have as many passages as rows with gold
    # Target of a row without gold: the same target as with gold (the paper's A*) | its answer alone | prompt.refusal
    no_gold_target: Literal["answer", "answer_only", "refuse"]
    partial_gold: bool  # rows without gold keep half of the gold passages, rounded down
    same_document: bool  # distractors may come from a document of a gold passage
    allow_answer_in_distractor: bool  # distractors may hold an open answer (yes, no and maybe are never checked)
    allow_fewer: bool  # build rows with fewer distractors where a source has not enough
    allow_overlap: bool  # build the set although a test question is in the training data
    max_items: Positive | None  # largest number of training rows; a smaller set is a subset of a larger one
    path: Runtime[str | None]  # a chat file that replaces the training set; its content is part of the key
    workers: Runtime[Count]  # processes that render rows
    # Largest share of the held-out questions that may share gold passages with training questions, or be training
    # questions in nearly the same words. None: any share where the published splits share gold passages
    # (`Corpus.shares_gold`), else `overlap.MOST_GOLD_OVERLAP`.
    max_gold_overlap: KeyedWhenSet[Share | None] = None
    # For exactly this share of the rows without gold the target is prompt.refusal; for the others, no_gold_target.
    refuse_share: KeyedWhenSet[Share] = 0.0
    # In this share of the rows with gold, a false passage replaces a distractor, if one is possible (`conflicts.py`).
    conflict_share: KeyedWhenSet[Share] = 0.0
    # Passages of a training row: gold (a share p) and distractors | the retriever's first k | the published ones.
    context: KeyedWhenSet[TrainingContext] = "gold_and_distractors"
    k: KeyedWhenSet[Positive | None] = None  # passages of a retrieved context; None: retriever.k

    @property
    def chooses_gold(self) -> bool:
        """Whether the settings, and not a retriever or a published context, decide which rows have gold."""
        return self.context == "gold_and_distractors"

    @model_validator(mode="after")
    def _settings_suit_the_context(self) -> "DatasetConfig":
        if self.k is not None and self.context != "retrieved":
            raise ValueError(
                f"dataset.k: got {self.k}, but dataset.context={self.context} has no retrieved passages; use "
                "dataset.context=retrieved, or dataset.k=null"
            )
        if self.conflict_share and not self.chooses_gold:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but false passages replace distractors that "
                f"are selected for a question, and dataset.context={self.context} selects none; use "
                "dataset.conflict_share=0, or dataset.context=gold_and_distractors"
            )
        return self

    @model_validator(mode="after")
    def _shares_have_rows(self) -> "DatasetConfig":
        if self.refuse_share and self.no_gold_target == "refuse":
            raise ValueError(
                f"dataset.refuse_share: got {self.refuse_share:g}, but dataset.no_gold_target=refuse makes all rows "
                "without gold refuse; use dataset.no_gold_target=answer, or dataset.refuse_share=0"
            )
        if self.refuse_share and self.p == 1 and self.chooses_gold:
            raise ValueError(
                f"dataset.refuse_share: got {self.refuse_share:g}, but with dataset.p=1 every row has gold; use a "
                "smaller dataset.p such as 0.8, or dataset.refuse_share=0"
            )
        if self.conflict_share and self.p == 0:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but with dataset.p=0 no row has gold; use a "
                "larger dataset.p such as 0.8, or dataset.conflict_share=0"
            )
        if self.conflict_share and most(self.num_distractors) == 0:
            raise ValueError(
                f"dataset.conflict_share: got {self.conflict_share:g}, but with dataset.num_distractors=0 a row with "
                "gold has no distractor that a false passage could replace; use dataset.num_distractors=1 or more, or "
                "dataset.conflict_share=0"
            )
        return self

    @model_validator(mode="after")
    def _sources_are_whole(self) -> "DatasetConfig":
        margin = {"max_score": self.max_score, "relative_margin": self.relative_margin}
        retrieval.check_shares("dataset", self.distractors, self.mixed)
        retrieval.check_margin("dataset", self.distractors, self.mixed, margin)
        return self

    @model_validator(mode="after")
    def _quotes_have_passages(self) -> "DatasetConfig":
        without_passages = least(self.num_distractors) == 0 and not self.constant_size and self.p < 1
        if self.chooses_gold and without_passages and self.cot and self.no_gold_target == "answer":
            raise ValueError(
                f"dataset.num_distractors: got {shown(self.num_distractors)} with dataset.constant_size=false and "
                f"dataset.p={self.p:g}, so rows without gold have no passage to quote; use "
                "dataset.constant_size=true, dataset.p=1, or dataset.no_gold_target=answer_only"
            )
        return self
