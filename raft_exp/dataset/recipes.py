"""What each recipe trains on, and what is asked at test: a stream of jobs, one a row (DESIGN section 6).

Questions and targets are read as they are needed, so that memory does not grow with them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, Target, read_jsonl
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import answer_pattern, holds
from raft_exp.dataset import contexts
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker


@dataclass(frozen=True)
class QuestionTargets:
    """The questions of a study with the targets of those that are learned."""

    questions: Path  # folder of the questions stage
    targets: Path | None  # folder of the targets stage; None where nothing is learned

    def of(self, split: str) -> Iterator[Question]:
        """The split's questions in their own order; of those that are learned only such as have a target."""
        if self.targets is None or split == "test":
            return (question for question in self.everything() if question.split == split)
        return (question for question, _ in self.learned(split))

    def everything(self) -> Iterator[Question]:
        """All questions, of every split."""
        return read_jsonl(self.questions / "questions.jsonl", Question)

    def learned(self, split: str) -> Iterator[tuple[Question, Target]]:
        """The split's questions with their targets, which stand in the same order; a teacher may have left some out."""
        assert self.targets is not None, "a source without targets is only asked"
        targets = read_jsonl(self.targets / "targets.jsonl", Target)
        target = next(targets, None)
        for question in self.everything():
            if target is None:
                return
            if question.split != "test" and question.id == target.id:
                if question.split == split:
                    yield question, target
                target = next(targets, None)
        if target is not None:
            raise DataError(f"targets do not belong to these questions: there is none for {target.id!r} in this order")

    def kept(self, split: str, most: int | None, seed: int) -> HashSample:
        """Which of the split's questions take part: only training rows are limited."""
        return subsample((question.id for question in self.of(split)), most, seed)


@dataclass(frozen=True)
class RaftRecipe:
    """How the raft recipe chooses and what rows without gold learn; the words are those of `DatasetConfig`."""

    p: float
    num_distractors: int
    constant_size: bool
    partial_gold: bool
    no_gold_target: str
    refusal: str
    allow_fewer: bool
    seed: int

    def jobs(
        self, source: QuestionTargets, split: str, kept: HashSample, guards: DistractorFilter, rank: Ranker, pool: int
    ) -> Iterator[RowSpec]:
        """One job a question of the split that takes part."""
        with_gold = contexts.gold_rows((q.id for q in source.of(split) if q.id in kept), self.p, self.seed)
        fewer = self.allow_fewer or split == "validation"  # a small held-out set need not fill every place
        for question, target in source.learned(split):
            if question.id in kept:
                context = self._context(question, question.id in with_gold, guards, rank, pool, fewer)
                yield self._job(question, context, question.id in with_gold, target)

    def _context(
        self, question: Question, keeps_gold: bool, guards: DistractorFilter, rank: Ranker, pool: int, fewer: bool
    ) -> list[int]:
        gold = [guards.passages.find(passage_id) for passage_id in question.gold]
        kept = gold if keeps_gold else contexts.half_of_gold(gold, self.seed, question.id) if self.partial_gold else []
        wanted = self.num_distractors + (len(gold) - len(kept) if self.constant_size else 0)
        distractors = guards.distractors(question, rank(question), wanted)
        contexts.check_enough(question, distractors, wanted, pool, fewer)
        return contexts.shuffled([*kept, *distractors], self.seed, question.id)

    def _job(self, question: Question, context: list[int], has_gold: bool, target: Target) -> RowSpec:
        if has_gold or self.no_gold_target == "answer":
            return RowSpec(question, context, target, grounded=has_gold)
        if self.no_gold_target == "answer_only":
            return RowSpec(question, context, replace(target, reason=""))
        return RowSpec(question, context, Target(question.id, self.refusal))


def closed_book(source: QuestionTargets, split: str, kept: HashSample) -> Iterator[RowSpec]:
    """The same questions in the same order as raft's, the answer alone."""
    for question, target in source.learned(split):
        if question.id in kept:
            yield RowSpec(question, None, replace(target, reason=""))


Find = Callable[[Question], list[int]]


def gold_and_distractors(
    guards: DistractorFilter, rank: Ranker, pool: int, wanted: int, fewer: bool, seed: int
) -> Find:
    """The paper's test context: gold among so many distractors, in an order of chance."""

    def find(question: Question) -> list[int]:
        gold = _gold(question, guards.passages)
        distractors = guards.distractors(question, rank(question), wanted)
        contexts.check_enough(question, distractors, wanted, pool, fewer, "evaluation")
        return contexts.shuffled([*gold, *distractors], seed, question.id)

    return find


def distractors_alone(guards: DistractorFilter, rank: Ranker, pool: int, wanted: int, fewer: bool, seed: int) -> Find:
    """As many passages as `gold_and_distractors` shows, and none of them gold."""

    def find(question: Question) -> list[int]:
        places = wanted + len(_gold(question, guards.passages))
        distractors = guards.distractors(question, rank(question), places)
        contexts.check_enough(question, distractors, places, pool, fewer, "evaluation")
        return contexts.shuffled(distractors, seed, question.id)

    return find


def _gold(question: Question, collection: Passages) -> list[int]:
    if not question.gold:
        raise DataError(
            f"question {question.id!r} names no gold passage that could stand among distractors; "
            "use evaluation.context=retrieved, or given where a context was published"
        )
    return [collection.find(name) for name in question.gold]


def retrieved(rank: Ranker, k: int) -> Find:
    """The retriever's best k of the whole collection, best first, as it would be in use."""
    return lambda question: list(islice(rank(question), k))


def published(collection: Passages) -> Find:
    """The context that was published with the question, in its order."""

    def find(question: Question) -> list[int]:
        if question.published is None:
            raise DataError(
                f"question {question.id!r} was published without a context; "
                "use evaluation.context=gold_and_distractors or retrieved"
            )
        return [collection.find(name) for name in question.published]

    return find


def gold_at(place: int | None, collection: Passages, find: Find) -> Find:
    """The same contexts with their gold passages together from a place on; the others keep their order."""
    if place is None:
        return find

    def moved(question: Question) -> list[int]:
        context, gold = find(question), {collection.find(name) for name in question.gold}
        there = [ordinal for ordinal in context if ordinal in gold]
        others = [ordinal for ordinal in context if ordinal not in gold]
        if there and place > len(others):
            raise DataError(
                f"evaluation.gold_at: got {place}, and question {question.id!r} has {len(others)} passages beside its "
                f"gold; give 0 to {len(others)}, or null to leave the gold where it stands"
            )
        return [*others[:place], *there, *others[place:]]

    return moved


def without_gold(collection: Passages, find: Find) -> Find:
    """The same contexts without their gold, and without other passages that hold an open answer."""

    def rest(question: Question) -> list[int]:
        gold, answers = {collection.find(name) for name in question.gold}, answer_pattern(question.answers)
        others = (ordinal for ordinal in find(question) if ordinal not in gold)
        return [at for at in others if not (answers and holds(answers, collection[at]))]

    return rest
