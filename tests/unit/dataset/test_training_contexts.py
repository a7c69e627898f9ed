"""Training rows with retrieved and published contexts, as properties over many generated corpora."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.corpora import pools
from raft_exp.dataset import training_contexts
from raft_exp.dataset.recipes import ContextChooser, RaftRecipe
from raft_exp.dataset.rows import RowSpec
from tests.helpers.worlds import MANY, Study, any_order, study, worlds

SEEDS = st.integers(0, 2**16)
KINDS = st.sampled_from(["answer", "answer_only", "refuse"])


def recipe(seed: int, **changes) -> RaftRecipe:
    settings = {"p": 0.5, "num_distractors": 0, "constant_size": True, "partial_gold": False, "allow_fewer": False}
    return RaftRecipe(**{**settings, "no_gold_target": "answer", "refusal": "Not there.", "seed": seed, **changes})


def retrieved(made: Study, k: int, seed: int, split: str = "train") -> tuple[ContextChooser, Counter[str]]:
    """The chooser of the first k passages of a made ranking, and the counter of the passages left out."""
    left_out = Counter[str]()
    keep = training_contexts.split_filter(made.passages, pools.pool(made.owners, split), left_out)
    rank = any_order(np.arange(len(made.passages)), seed)

    def choose(question):
        return [ordinal for ordinal, _ in zip(keep(question, rank(question)), range(k), strict=False)]

    return choose, left_out


def rows(made: Study, choose: ContextChooser, how: RaftRecipe, split: str = "train") -> dict[str, RowSpec]:
    sample = made.source.sample(split, None, how.seed)
    made_rows = training_contexts.specs(how, made.source, split, sample, choose, made.passages)
    return {row.question.id: row for row in made_rows}


@pytest.mark.slow
@MANY
@given(worlds(), st.integers(1, 6), SEEDS, KINDS)
def test_gold_is_what_the_context_holds_and_decides_the_target(world, k, seed, kind):
    learned = {"answer": ("a reason", None), "answer_only": ("", None), "refuse": ("", "Not there.")}[kind]
    with study(world) as made:
        choose, _ = retrieved(made, k, seed)
        found = rows(made, choose, recipe(seed, no_gold_target=kind))
        assert list(found) == list(made.ask(seed=seed)), "the questions of raft, in its order"
        for row in found.values():
            whole = made.shown(row) == made.gold(row.question)
            reason, answer = ("a reason", None) if whole else learned
            assert row.target is not None
            assert (row.target.reason, row.target.answer) == (reason, answer or row.question.answers[0])
            assert row.grounded == whole


@pytest.mark.slow
@MANY
@given(worlds(), st.integers(1, 6), SEEDS)
def test_passages_of_other_splits_are_left_out_and_the_order_stays(world, k, seed):
    with study(world) as made:
        for split, number in (("train", 1), ("validation", 2)):
            choose, left_out = retrieved(made, k, seed, split)
            rank, passed = any_order(np.arange(len(made.passages)), seed), 0
            for row in rows(made, choose, recipe(seed), split).values():
                ranking = list(rank(row.question))
                assert row.context is not None
                allowed = [
                    ordinal
                    for ordinal in ranking
                    if made.owners[ordinal] in (0, number) or ordinal in made.gold(row.question)
                ]
                assert row.context == allowed[:k]
                passed += ranking.index(row.context[-1]) + 1 - len(row.context) if len(row.context) == k else 0
            assert left_out["of_another_split"] >= passed


@pytest.mark.slow
@MANY
@given(worlds(), st.integers(1, 4), st.floats(0, 1), st.floats(0, 1), SEEDS)
def test_an_exact_nested_share_of_the_rows_without_gold_refuses(world, k, one, other, seed):
    low, high = sorted((one, other))
    with study(world) as made:
        choose, _ = retrieved(made, k, seed)
        few, many = (rows(made, choose, recipe(seed, refuse_share=share)) for share in (low, high))
        without = [name for name, row in few.items() if not row.grounded]
        refusing = {name for name, row in few.items() if row.refuses}
        assert refusing <= set(without)
        assert len(refusing) == round(low * len(without))
        assert refusing <= {name for name, row in many.items() if row.refuses}
        assert all(row.context == many[name].context for name, row in few.items())


@MANY
@given(worlds(), SEEDS)
def test_a_question_whose_gold_was_published_without_text_has_no_gold(world, seed):
    passages, questions = world
    lacking = [replace(question, gold_missing=1) for question in questions]
    with study((passages, lacking)) as made:
        choose, _ = retrieved(made, len(passages), seed)
        assert not any(row.grounded for row in rows(made, choose, recipe(seed)).values())


@MANY
@given(worlds(), SEEDS)
def test_a_published_context_keeps_its_order(world, seed):
    passages, questions = world
    shown = [list(dict.fromkeys([passages[-1].id, *question.gold, passages[0].id])) for question in questions]
    published = [replace(question, published=names) for question, names in zip(questions, shown, strict=True)]
    with study((passages, published)) as made:
        keep = training_contexts.split_filter(made.passages, pools.pool(made.owners, "train"), Counter())
        choose = training_contexts.published_chooser(made.passages, keep)
        for row in rows(made, choose, recipe(seed)).values():
            assert row.question.published is not None
            everything = [made.passages.find(name) for name in row.question.published]
            gold = made.gold(row.question)
            assert row.context == [place for place in everything if made.owners[place] in (0, 1) or place in gold]
            assert row.grounded
