"""The recipes: they decide the passages in the context of a question, and the target of the row.

Training: `RaftRecipe` and `closed_book` yield one `RowSpec` per question. Test: the functions that return a
`ContextChooser` (`gold_and_distractors`, `retrieved`, `published`, ...). Questions and targets are read from disk as
streams, so memory does not grow with their number. docs/explanation/raft-data-sets.md states the rules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from raft_exp.core import gold_place
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.gold_place import GoldPlace
from raft_exp.core.records import Question, Target, read_jsonl
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import answer_pattern, holds
from raft_exp.dataset import contexts
from raft_exp.dataset.distractor_count import DistractorCount
from raft_exp.dataset.rows import RowSpec
from raft_exp.dataset.supply import DATASET_NAMES, DistractorSupply, SettingNames
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker


@dataclass(frozen=True)
class QuestionTargets:
    """The questions of a study, with the teacher's targets for training and validation questions."""

    questions: Path  # folder of the questions stage
    targets: Path | None  # folder of the targets stage; None for a test set

    def of(self, split: str) -> Iterator[Question]:
        """Yields the questions of a split in file order.

        If the study has targets, training and validation questions without a target are left out.
        """
        if self.targets is None or split == "test":
            return (question for question in self.all_questions() if question.split == split)
        return (question for question, _ in self.with_targets(split))

    def all_questions(self) -> Iterator[Question]:
        """Yields the questions of all splits."""
        return read_jsonl(self.questions / "questions.jsonl", Question)

    def with_targets(self, split: str) -> Iterator[tuple[Question, Target]]:
        """Yields (question, target) for the questions of a training or validation split that have a target.

        questions.jsonl and targets.jsonl have the same order; a teacher may have skipped questions. Raises DataError
        for a target without a question.
        """
        assert self.targets is not None, "a test set has no targets"
        targets = read_jsonl(self.targets / "targets.jsonl", Target)
        target = next(targets, None)
        for question in self.all_questions():
            if target is None:
                return
            if question.split != "test" and question.id == target.id:
                if question.split == split:
                    yield question, target
                target = next(targets, None)
        if target is not None:
            raise DataError(
                f"target {target.id!r} has no question in the order of questions.jsonl: targets and questions are from "
                "different studies; remove the result of the stage targets from the store, and run the study again"
            )

    def sample(self, split: str, max_items: int | None, seed: int) -> HashSample:
        """Returns the ids of at most `max_items` questions of a split; a smaller sample is a subset of a larger one."""
        return subsample((question.id for question in self.of(split)), max_items, seed)


@dataclass(frozen=True)
class RaftRecipe:
    """The raft recipe (arXiv 2403.10131, section 3). `DatasetConfig` explains the fields."""

    p: float
    num_distractors: DistractorCount
    constant_size: bool
    partial_gold: bool
    no_gold_target: str
    refusal: str
    allow_fewer: bool
    seed: int
    names: SettingNames = DATASET_NAMES
    refuse_share: float = 0.0

    def specs(
        self,
        source: QuestionTargets,
        split: str,
        sample: HashSample,
        distractor_filter: DistractorFilter,
        rank: Ranker,
        pool_size: int,
    ) -> Iterator[RowSpec]:
        """Yields one row for each question of the sample that has a target.

        `rank`: ranks the pool of distractors, which has `pool_size` passages. Raises DataError if a question has too
        few distractors and `allow_fewer` is false; validation rows may always have fewer.
        """
        with_gold = self.with_gold(source, split, sample)
        refusing = self._refusing(source, split, sample, with_gold)
        supply = self.supply(source, split, sample, distractor_filter, rank, pool_size)
        for question, target in source.with_targets(split):
            if question.id in sample:
                has_gold = question.id in with_gold
                gold = [distractor_filter.passages.find(passage_id) for passage_id in question.gold]
                shown_gold = gold if has_gold else self._part_of_gold(question, gold)
                # D: the first passages of a ranking that depends on (seed, question) alone. So those of D=2 are among
                # those of D=3, and runs of a sweep over D differ in nothing else. A range has a D for each question.
                context = contexts.shuffled([*shown_gold, *supply(question)], self.seed, question.id)
                yield self.spec(question, context, has_gold, target, question.id in refusing)

    def supply(
        self,
        source: QuestionTargets,
        split: str,
        sample: HashSample,
        distractor_filter: DistractorFilter,
        rank: Ranker,
        pool_size: int,
    ) -> DistractorSupply:
        """Returns the function that selects the distractors of a question of the sample.

        `pool_size`: the number of passages among which `rank` chooses, for error messages.
        """
        with_gold = self.with_gold(source, split, sample)
        return DistractorSupply(
            distractor_filter,
            rank,
            pool_size,
            self.num_distractors,
            self.seed,
            in_place_of_gold=lambda question: self._gold_replaced(question, question.id in with_gold),
            questions=lambda: (question for question in source.of(split) if question.id in sample),
            allow_fewer=self.allow_fewer or split == "validation",  # a small validation pool may have too few passages
            names=self.names,
        )

    def with_gold(self, source: QuestionTargets, split: str, sample: HashSample) -> HashSample:
        """Returns the ids of the questions of the sample whose rows have gold."""
        # p: exactly round(p * n) rows keep their gold, those with the smallest hashes: the gold rows of a smaller p
        # are among those of a larger one, so that runs of a sweep over p differ in nothing else.
        return contexts.gold_rows((q.id for q in source.of(split) if q.id in sample), self.p, self.seed)

    def _refusing(
        self, source: QuestionTargets, split: str, sample: HashSample, with_gold: HashSample
    ) -> HashSample | frozenset[str]:
        """Returns the ids of the questions whose rows refuse by `refuse_share`, a share of the rows without gold."""
        if not self.refuse_share:
            return frozenset()
        without = (q.id for q in source.of(split) if q.id in sample and q.id not in with_gold)
        return contexts.refusing_rows(without, self.refuse_share, self.seed)

    def _part_of_gold(self, question: Question, gold: list[int]) -> list[int]:
        """Returns the gold passages that a row without full gold contains (`partial_gold`)."""
        return contexts.half_of_gold(gold, self.seed, question.id) if self.partial_gold else []

    def _gold_replaced(self, question: Question, has_gold: bool) -> int:
        """Returns the number of gold passages that distractors replace.

        With `constant_size` a distractor replaces each missing gold passage, so that contexts with and without gold
        have the same number of passages. Otherwise the number would reveal whether gold is missing.
        """
        if has_gold or not self.constant_size:
            return 0
        gold = len(question.gold)
        return gold - gold // 2 if self.partial_gold else gold

    def spec(self, question: Question, context: list[int], has_gold: bool, target: Target, refuses: bool) -> RowSpec:
        """Returns the row of a question. A row with gold teaches `target`; for other rows, `no_gold_target` decides.

        `refuses`: whether the target of a row without gold is a refusal by `refuse_share`.
        """
        if has_gold:
            return RowSpec(question, context, target, grounded=True)
        if refuses:  # refuse_share: the text of prompt.refusal
            return RowSpec(question, context, Target(question.id, self.refusal), refuses=True)
        # no_gold_target: the target of a row whose context does not hold the answer.
        if self.no_gold_target == "answer":  # the same target as with gold, as in the paper: it quotes hidden text
            return RowSpec(question, context, target)
        if self.no_gold_target == "answer_only":  # the answer without the reasoning: no quotes of hidden text
            return RowSpec(question, context, replace(target, reason=""))
        return RowSpec(question, context, Target(question.id, self.refusal))  # "refuse": the text of prompt.refusal


def closed_book(source: QuestionTargets, split: str, sample: HashSample, cot: bool = False) -> Iterator[RowSpec]:
    """Yields the questions of raft in the same order, without passages.

    The target is the answer without reasoning. With `cot`, it is the target of raft, whose reasoning quotes passages
    that the prompt does not contain.
    """
    for question, target in source.with_targets(split):
        if question.id in sample:
            yield RowSpec(question, None, target if cot else replace(target, reason=""))


ContextChooser = Callable[[Question], list[int]]  # the ordinals of a question's context, in prompt order


def gold_and_distractors(supply: DistractorSupply, seed: int) -> ContextChooser:
    """Returns the chooser of the paper's test context: gold passages and distractors, shuffled by (seed, question).

    The chooser raises DataError for a question without gold passages or with too few distractors.
    """

    def choose(question: Question) -> list[int]:
        gold = _gold(question, supply)
        return contexts.shuffled([*gold, *supply(question)], seed, question.id)

    return choose


def distractors_alone(supply: DistractorSupply, seed: int) -> ContextChooser:
    """Returns the chooser of contexts with distractors only, shuffled by (seed, question).

    The chooser raises DataError for a question without gold passages or with too few distractors.
    """

    def choose(question: Question) -> list[int]:
        _gold(question, supply)
        return contexts.shuffled(supply(question), seed, question.id)

    return choose


def _gold(question: Question, supply: DistractorSupply) -> list[int]:
    if not question.gold and supply.names.of_gold_arms:
        raise DataError(
            f"question {question.id!r} names no gold passage, which arms with context=gold (such as oracle) need; "
            "remove these arms from evaluation.arms"
        )
    if not question.gold:
        raise DataError(
            f"question {question.id!r} names no gold passage to put among the distractors; "
            "use evaluation.context=retrieved, or given if the corpus publishes contexts"
        )
    return [supply.distractor_filter.passages.find(name) for name in question.gold]


def retrieved(rank: Ranker, k: int) -> ContextChooser:
    """Returns the chooser of the first k passages that the retriever ranks in the whole collection, best first."""
    return lambda question: list(islice(rank(question), k))


def published(collection: Passages, setting: str = "evaluation.context") -> ContextChooser:
    """Returns the chooser of the context that was published with the question, in the published order.

    The chooser raises DataError for a question without a published context. `setting`: the name of the setting in this
    error.
    """

    def choose(question: Question) -> list[int]:
        if question.published is None:
            raise DataError(
                f"question {question.id!r} was published without a context; "
                f"use {setting}=gold_and_distractors or retrieved"
            )
        return [collection.find(name) for name in question.published]

    return choose


def gold_at(
    place: GoldPlace | None, collection: Passages, choose: ContextChooser, setting: str = "evaluation.gold_at"
) -> ContextChooser:
    """Returns a chooser that moves the gold passages of a context to `place`.

    `place`: an index from 0, or first, middle or last; None moves nothing. `choose`: the chooser of the contexts. The
    chooser raises DataError if a context with gold has fewer than `place` other passages; `setting`: the name of the
    setting in this error.
    """
    if place is None:
        return choose

    def choose_and_move(question: Question) -> list[int]:
        context, gold = choose(question), {collection.find(name) for name in question.gold}
        gold_in_context = [ordinal for ordinal in context if ordinal in gold]
        others = [ordinal for ordinal in context if ordinal not in gold]
        if not gold_in_context:
            return others
        before = gold_place.index(place, len(others), question.id, setting)
        return [*others[:before], *gold_in_context, *others[before:]]

    return choose_and_move


def without_gold(collection: Passages, choose: ContextChooser) -> ContextChooser:
    """Returns a chooser that removes gold passages and passages with an answer from the contexts of `choose`.

    Labels (yes, no, maybe) are not searched for.
    """

    def choose_rest(question: Question) -> list[int]:
        gold = {collection.find(name) for name in question.gold}
        answers = answer_pattern(question.answers, collection.form)
        others = (ordinal for ordinal in choose(question) if ordinal not in gold)
        return [ordinal for ordinal in others if not (answers and holds(answers, collection[ordinal]))]

    return choose_rest
