"""Random corpora for property tests: documents, questions of all kinds, targets, in files as the stages write them.

A property holds for `RAFT_EXP_EXAMPLES` of them (default 20; CI: 50).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage, Question, Target, write_jsonl
from raft_exp.core.sampling import seeded_bits
from raft_exp.corpora import pools
from raft_exp.dataset.recipes import QuestionTargets, RaftRecipe
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval.filters import DistractorFilter

EXAMPLES = int(os.environ.get("RAFT_EXP_EXAMPLES", "20"))
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

WORDS = (
    "river",
    "town",
    "Paris",
    "\u201cParis\u201d",
    "Lyon\u2013Paris",
    "1802\u2026",
    "glass",
    "no",
    "yes",
    "born",
    "1802",
    "mill",
    "bird",
    "of",
    "Know-all",
    "caf\u00e9",
    "cafe\u0301",
)


@st.composite
def worlds(draw: Any) -> tuple[list[Passage], list[Question]]:
    """4 to 14 documents of 1 to 3 passages, some with the same words; questions of all splits, with 1 to 3 gold
    passages of one document or of two, closed-class answers and open ones.
    """
    texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
    titles = st.sampled_from(["a title", "another", "Paris", "Caf\u00e9", "The 1802"])
    documents = draw(st.lists(st.tuples(titles, st.lists(texts, min_size=1, max_size=3)), min_size=4, max_size=14))
    made = [
        Passage(f"{d}:{i}", str(d), title, text, "", [text], "made")
        for d, (title, sections) in enumerate(documents)
        for i, text in enumerate(sections)
    ]
    questions = []
    for number in range(draw(st.integers(2, 10))):
        first = draw(st.sampled_from(made))
        others = draw(st.lists(st.sampled_from(made), max_size=2))
        gold = list(dict.fromkeys([first.id, *(other.id for other in others)]))
        answer = draw(st.sampled_from(["yes", "no", "maybe", "Paris", "1802", "glass", "river mill", "CAF\u00c9"]))
        split = draw(st.sampled_from(["train", "train", "train", "test", "validation"]))
        questions.append(Question(f"q{number}", f"what of {number}", [answer], gold, split))
    return made, questions


@dataclass
class Study:
    """A world on disk, with the inputs of the raft recipe."""

    source: QuestionTargets
    passages: Passages
    owners: np.ndarray

    def ask(
        self,
        split: str = "train",
        max_items: int | None = None,
        same_document: bool = False,
        answer_allowed: bool = False,
        **changes: Any,
    ) -> dict[str, RowSpec]:
        """The raft recipe's jobs of a split by question id, in its order; `changes` as in `Raft`."""
        recipe, pool = self.recipe(**changes), pools.pool(self.owners, split)
        guards = DistractorFilter(self.passages, same_document=same_document, answer_allowed=answer_allowed)
        kept = self.source.sample(split, max_items, recipe.seed)
        jobs = recipe.specs(self.source, split, kept, guards, any_order(pool, recipe.seed), len(pool))
        return {job.question.id: job for job in jobs}

    def recipe(self, **changes: Any) -> RaftRecipe:
        """The raft recipe with `changes`."""
        how: dict[str, Any] = {
            "p": 0.5,
            "num_distractors": 2,
            "constant_size": True,
            "partial_gold": False,
            "no_gold_target": "answer",
            "refusal": "Not there.",
            "allow_fewer": True,
            "seed": 0,
        } | changes
        return RaftRecipe(**how)

    def gold(self, question: Question) -> set[int]:
        """Ordinals of the gold passages."""
        return {self.passages.find(name) for name in question.gold}

    def distractors(self, job: RowSpec) -> list[int]:
        """Ordinals of the others in its context."""
        return [place for place in job.context or [] if place not in self.gold(job.question)]

    def shown(self, job: RowSpec) -> set[int]:
        """Ordinals of the gold passages in its context."""
        return self.gold(job.question) & set(job.context or [])


def any_order(pool: np.ndarray, seed: int) -> Callable[[Question], Iterator[int]]:
    """A ranker: the whole pool, in an order that belongs to the question."""

    def rank(question: Question) -> Iterator[int]:
        generator = np.random.default_rng(seeded_bits(seed, "made", question.id))
        return iter(pool[generator.permutation(len(pool))].tolist())

    return rank


@contextmanager
def study(world: tuple[list[Passage], list[Question]]) -> Iterator[Study]:
    """Writes a world to a temporary folder."""
    made, questions = world
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_passages(folder, made)
        write_jsonl(folder / "questions.jsonl", questions)
        learned = [question for question in questions if question.split != "test"]
        targets = [Target(question.id, question.answers[0], "a reason") for question in learned]
        write_jsonl(folder / "targets.jsonl", targets)
        found = Passages(folder)
        yield Study(QuestionTargets(folder, folder), found, pools.document_splits(found, questions))
