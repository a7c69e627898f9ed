"""Rules of the recipes, as properties over many generated corpora."""

from collections import Counter
from itertools import chain, count, groupby
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import fingerprint
from raft_exp.core.text import CLOSED_CLASS
from raft_exp.corpora import pools
from raft_exp.dataset import recipes
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers.worlds import MANY, study, worlds

SEEDS, SHARES, COUNTS = st.integers(0, 2**16), st.floats(0, 1), st.integers(0, 5)


def said(answer: str, text: str) -> bool:
    """Whether the words of the answer stand in the text one after another, found without any pattern."""
    words, wanted = (
        ["".join(letters) for isword, letters in groupby(normalize("NFC", each).casefold(), str.isalnum) if isword]
        for each in (text, answer)
    )
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words)))


@pytest.mark.slow
@MANY
@given(worlds(), SHARES, SHARES, SEEDS)
def test_the_share_with_gold_is_exact_and_nested_and_all_or_nothing(world, one, other, seed):
    low, high = sorted((one, other))
    with study(world) as made:
        few, many = made.ask(p=low, seed=seed), made.ask(p=high, seed=seed)
        shown = {name for name, job in few.items() if made.shown(job)}
        assert len(shown) == round(low * len(few))
        assert shown <= {name for name, job in many.items() if made.shown(job)}
        assert all(made.shown(few[name]) == made.gold(few[name].question) for name in shown)
        assert all(job.grounded == (name in shown) for name, job in few.items())


@pytest.mark.slow
@MANY
@given(worlds(), SHARES, COUNTS, SEEDS)
def test_fewer_distractors_are_the_first_of_more_row_by_row(world, p, wanted, seed):
    with study(world) as made:
        fewer, more = (made.ask(p=p, num_distractors=count, seed=seed) for count in (wanted, wanted + 1))
        assert list(fewer) == list(more)
        for name, job in fewer.items():
            assert set(made.distractors(job)) <= set(made.distractors(more[name]))
            assert len(made.distractors(more[name])) - len(made.distractors(job)) in (0, 1)
            assert made.shown(job) == made.shown(more[name])


@MANY
@given(worlds(), st.integers(1, 6), COUNTS, SEEDS)
def test_fewer_items_are_among_more_with_the_same_ranked_distractors(world, most, wanted, seed):
    with study(world) as made:
        few, more = (made.ask(p=0, num_distractors=wanted, seed=seed, max_items=m) for m in (most, most + 1))
        assert len(few) == min(most, len(made.ask()))
        assert set(few) <= set(more)
        assert all(few[name].context == more[name].context for name in few)


@MANY
@given(worlds(), SHARES, COUNTS, SEEDS)
def test_rows_without_gold_are_as_long_as_with_it_or_the_pool_is_empty(world, p, wanted, seed):
    with study(world) as made:
        rows = made.ask(p=p, num_distractors=wanted, seed=seed)
        most = made.ask(p=0, num_distractors=1000, seed=seed)  # everything that may stand beside the question
        for name, job in rows.items():
            gold = len(job.question.gold)
            there = len(made.distractors(most[name]))
            if made.shown(job):
                assert len(made.distractors(job)) == min(wanted, there)
            else:
                assert len(job.context or []) == min(wanted + gold, there)
        bare = made.ask(p=p, num_distractors=wanted, seed=seed, constant_size=False)
        assert all(len(made.distractors(job)) <= wanted for job in bare.values())


@MANY
@given(worlds(), COUNTS, SEEDS)
def test_a_distractor_is_never_gold_nor_its_text_its_document_its_answer_or_another_splits(world, wanted, seed):
    passages, questions = {passage.id: passage for passage in world[0]}, world[1]
    rank = {"train": 1, "validation": 2, "test": 3}
    owner: dict[str, int] = {}
    for question in questions:
        for name in question.gold:
            document = passages[name].document_id
            owner[document] = max(owner.get(document, 0), rank[question.split])
    with study(world) as made:
        for split in ("train", "validation"):
            for job in made.ask(split, p=0.5, num_distractors=wanted, seed=seed).values():
                chosen = [made.passages[place] for place in made.distractors(job)]
                gold = [passages[name] for name in job.question.gold]
                texts = [fingerprint(passage.text) for passage in chosen]
                assert len(set(texts)) == len(texts)
                assert not set(texts) & {fingerprint(passage.text) for passage in gold}
                assert not {p.document_id for p in chosen} & {p.document_id for p in gold}
                assert {owner.get(p.document_id, 0) for p in chosen} <= {0, rank[split]}
                answer = job.question.answers[0]
                if answer not in CLOSED_CLASS:
                    assert not any(said(answer, shown) for p in chosen for shown in (p.title, p.text))


@MANY
@given(worlds(), COUNTS, SEEDS)
def test_closed_class_answers_pass_over_nothing(world, wanted, seed):
    """Passing over passages with "no" in them would make the distractors tell the label."""
    with study(world) as made:
        pool = pools.pool(made.owners, "train")
        guards = DistractorFilter(made.passages, same_document=False, answer_allowed=False)
        for question in made.source.of("train"):
            if question.answers[0] in CLOSED_CLASS:
                guards.distractors(question, iter(pool.tolist()), wanted)
        assert not guards.rejected_candidates["holds_answer"]


@pytest.mark.slow
@MANY
@given(worlds(), SHARES, SEEDS)
def test_half_the_gold_stays_where_partial_gold_is_asked_for(world, p, seed):
    with study(world) as made:
        whole, part = made.ask(p=p, seed=seed), made.ask(p=p, seed=seed, partial_gold=True)
        for name, job in part.items():
            gold = made.gold(job.question)
            if job.grounded:
                assert job.context == whole[name].context
            else:
                assert len(made.shown(job)) == len(gold) // 2 < len(gold)
                assert set(made.distractors(job)) <= set(made.distractors(whole[name]))


@MANY
@given(worlds(), SHARES, SEEDS, st.sampled_from(["answer", "answer_only", "refuse"]))
def test_what_a_row_without_gold_learns_is_the_choice_of_the_config(world, p, seed, kind):
    learned = {"answer": ("a reason", None), "answer_only": ("", None), "refuse": ("", "Not there.")}[kind]
    with study(world) as made:
        for job in made.ask(p=p, seed=seed, no_gold_target=kind).values():
            reason, answer = ("a reason", None) if made.shown(job) else learned
            assert job.target is not None
            assert (job.target.reason, job.target.answer) == (reason, answer or job.question.answers[0])
            assert job.grounded == bool(made.shown(job))


@MANY
@given(worlds(), SHARES, SEEDS, st.integers(1, 6))
def test_recipes_ask_the_same_questions_in_the_same_order(world, p, seed, most):
    with study(world) as made:
        kept = made.source.sample("train", most, seed)
        closed = list(recipes.closed_book(made.source, "train", kept))
        assert [job.question.id for job in closed] == list(made.ask(p=p, seed=seed, max_items=most))
        assert all(job.context is None and job.target and job.target.reason == "" for job in closed)


@MANY
@given(worlds(), SHARES, SEEDS)
def test_a_row_depends_on_its_question_and_the_seed_alone(world, p, seed):
    """Other questions of the split may come or go: contexts of rows with the same gold flag stay as they are."""
    passages, questions = world
    with study(world) as made, study((passages, questions[::-1])) as turned:
        there, here = made.ask(p=p, seed=seed), turned.ask(p=p, seed=seed)
        assert {name: job.context for name, job in here.items()} == {name: job.context for name, job in there.items()}


@pytest.mark.slow
def test_gold_stands_equally_often_at_each_place():
    from scipy.stats import chisquare

    found, seeds = Counter(), count()

    @settings(MANY, max_examples=120)
    @given(worlds())
    def collect(world):
        with study(world) as made:
            # every data set has a seed of its own, and one gold passage a row: independent observations
            for job in chain.from_iterable(made.ask(p=1, seed=next(seeds)).values() for _ in range(5)):
                assert job.context is not None
                place = job.context.index(made.passages.find(job.question.gold[0]))
                found[len(job.context), place] += 1

    collect()
    assert found.total() > 500
    for size in {size for size, _ in found if size > 1}:
        counts = [found[size, place] for place in range(size)]
        if sum(counts) > 100:
            assert chisquare(counts).pvalue > 1e-4, f"contexts of {size}: {counts}"
