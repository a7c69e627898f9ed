"""Rows that learn to refuse and rows with false passages: rules as properties over many generated corpora."""

import json
from collections import Counter
from dataclasses import replace
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from raft_exp.core.audit import NO_FALSE_PASSAGE
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, Passage, Question, read_jsonl
from raft_exp.dataset.answer_types import answer_type, may_mean_the_same
from raft_exp.dataset.config import DatasetConfig
from raft_exp.dataset.conflicts import Conflicts, _copy
from raft_exp.dataset.special_rows import SpecialRows
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.files import lines
from tests.helpers.small_training import values
from tests.helpers.stages import run, stages_of
from tests.helpers.worlds import MANY, Study, study, worlds
from tests.unit.dataset.test_recipes import said

OFF = (
    "dataset.refuse_share=0",
    "dataset.conflict_share=0",
    "evaluation.conflict=false",
    "evaluation.token_probabilities=false",
)
SEEDS, SHARES = st.integers(0, 2**16), st.floats(0, 1)


@pytest.mark.slow
@MANY
@given(worlds(), SHARES, SHARES, SHARES, SEEDS, st.sampled_from(["answer", "answer_only"]))
def test_an_exact_and_nested_share_of_the_rows_without_gold_refuses(world, p, one, other, seed, target):
    few, many = sorted((one, other))
    with study(world) as made:
        plain = made.ask(p=p, seed=seed, no_gold_target=target)
        some, more = (made.ask(p=p, seed=seed, no_gold_target=target, refuse_share=share) for share in (few, many))
        without = [name for name, job in plain.items() if not job.grounded]
        refusing = {name for name, job in some.items() if job.target and job.target.answer == "Not there."}
        assert len(refusing) == round(few * len(without))
        assert refusing <= set(without)
        assert refusing <= {name for name, job in more.items() if job.refuses}
        assert {name: job.context for name, job in some.items()} == {name: job.context for name, job in plain.items()}
        assert all(some[name] == plain[name] for name in plain if name not in refusing), "the others follow the target"


def conflicts_of(made: Study, split: str, seed: int) -> Conflicts:
    return Conflicts(made.passages, lambda: made.source.of(split), seed)


@pytest.mark.slow
@MANY
@given(worlds(), SEEDS)
def test_a_false_passage_is_a_copy_of_gold_with_another_questions_answer(world, seed):
    """In place of one distractor; no right answer is left in it, and the false one is in no other passage."""
    with study(world) as made:
        plain = made.ask(p=1, seed=seed)
        conflicts = conflicts_of(made, "train", seed)
        asked = {question.id: question.answers[0] for question in made.source.of("train")}
        every = made.source.sample("train", None, seed)
        chosen = {job.question.id: job for job in conflicts.into(plain.values(), every)}
        assert list(chosen) == list(plain)
        assert sum(conflicts.counts.values()) == len(plain)
        for name, job in chosen.items():
            assert replace(job, planted=None) == plain[name], "nothing else changes"
            if job.planted is None:
                continue
            right, false, copy = job.question.answers, job.planted.answer, job.planted.passage
            assert job.planted.replaced in made.distractors(job)
            assert false in {answer for other, answer in asked.items() if other != name}
            assert answer_type(false) == answer_type(right[0]) != "label"
            assert not any(may_mean_the_same(false, answer) for answer in right)
            assert said(false, f"{copy.title} . {copy.text}")
            assert not any(said(answer, part) for answer in right for part in (copy.title, copy.text))
            others = [made.passages[place] for place in job.context or [] if place != job.planted.replaced]
            assert not any(said(false, part) for passage in others for part in (passage.title, passage.text))
            assert not said(false, job.question.question)
            [source] = [
                made.passages[o] for o in made.gold(job.question) if copy.id == f"conflict:{made.passages[o].id}"
            ]
            assert any(said(right[0], part) for part in (source.title, source.text))


@MANY
@given(worlds(), SEEDS)
def test_rows_without_a_possible_false_passage_are_counted_by_reason(world, seed):
    with study(world) as made:
        conflicts = conflicts_of(made, "train", seed)
        kept = list(conflicts.alone(made.ask(p=1, seed=seed).values()))
        assert len(kept) == conflicts.counts["planted"]
        assert set(conflicts.figures()) <= {"planted", *NO_FALSE_PASSAGE}
        labels = [question.id for question in made.source.of("train") if answer_type(question.answers[0]) == "label"]
        assert conflicts.counts["label"] == len(labels)


@pytest.mark.slow
@MANY
@given(worlds(), SHARES, SHARES, SEEDS)
def test_a_smaller_share_of_false_passages_is_among_a_larger_one(world, one, other, seed):
    few, many = sorted((one, other))
    with study(world) as made:
        plain, planted = made.ask(p=0.5, seed=seed), []
        for share in (few, many):
            special = SpecialRows(made.recipe(p=0.5, seed=seed), made.source, made.passages, share)
            sample = made.source.sample("train", None, seed)
            rows = list(special.watch(plain.values(), "train", sample))
            assert all(row.grounded for row in rows if row.planted), "only rows with gold contradict it"
            assert all(row.target == plain[row.question.id].target for row in rows if row.planted)
            planted.append({row.question.id for row in rows if row.planted})
            counts = special.figures().get("conflicts", lambda: {"train": {}})()
            assert isinstance(counts, dict)
            wanted = round(share * sum(row.grounded for row in rows))
            assert sum(counts["train"].values()) == (wanted if share else 0)
        assert planted[0] <= planted[1]


def test_answers_to_questions_that_ask_for_the_same_come_first():
    asked = {
        "Where is A?": "Rome",
        "Who is B?": "Ada",
        "Where is C?": "Oslo",
        "Who is D?": "Max",
        "Where is E?": "Bern",
    }
    questions = [Question(text, text, [answer], [], "train") for text, answer in asked.items()]
    for seed in range(5):
        made = Conflicts(MagicMock(), lambda: questions, seed)
        assert set(list(made._candidates(questions[0], "name"))[:3]) == {"Rome", "Oslo", "Bern"}
        assert sorted(made._candidates(questions[1], "name")) == sorted(asked.values())
        assert list(made._candidates(questions[1], "number")) == []


@pytest.mark.parametrize(
    ("answer", "text", "copied"),
    [
        ("Paris", "He left paris; PARIS slept. Parisians did not.", "He left Lyon; Lyon slept. Parisians did not."),
        ("New York", "In New\nYork it rains, in York not.", "In Lyon it rains, in York not."),
        ("12", "It costs 12.5, or 12, or 1,12.", "It costs 12.5, or Lyon, or 1,12."),
        ("A", "A blood group is A or a mix.", "Lyon blood group is Lyon or a mix."),
        ("C++ (2nd)", "Write C++ (2nd).", "Write Lyon."),
        ("\\1", "The token \\1 stands alone.", "The token Lyon stands alone."),
        ("東京", "彼は東京で生まれた。", "彼はLyonで生まれた。"),
    ],
)
def test_an_answer_is_replaced_as_whole_words(answer, text, copied):
    source = Passage("p", "d", answer, text, "", [text], "made")
    copy = _copy(source, [answer], "Lyon")
    assert (copy.title, copy.text) == ("Lyon", copied)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["yes", "No.", " Maybe"], "label"),
        (["1990", "May 1990", "5 May 1990", "the 1990s", "19th century", "May 5, 1990"], "date"),
        (["12", "12 km", "$5 million", "1,200", "3.5%", "12 years old"], "number"),
        (["Paris", "New York City", "U.S.", "the Beatles", "Émile Zola"], "name"),
        (["a baker", "twelve", "東京", "by boat"], "text"),
        (["", "...", "\N{EM DASH}"], None),
    ],
)
def test_the_closed_list_of_types(answers, kind):
    assert [answer_type(answer) for answer in answers] == [kind] * len(answers)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("U.S.", "US", True),
        ("The Beatles", "Beatles", True),
        ("12.0 km", "12 km", True),
        ("1,000", "1000", True),
        ("5 May 1990", "May 5th, 1990", True),
        ("Café", "cafe", True),
        ("Paris", "Paris, France", True),
        ("東京", "東京都", True),
        ("12", "112", False),
        ("1990", "1991", False),
        ("Paris", "Lyon", False),
    ],
)
def test_answers_that_may_mean_the_same(one, other, same):
    assert may_mean_the_same(one, other) is may_mean_the_same(other, one) is same


@given(st.text(min_size=1))
def test_an_answer_means_the_same_as_itself_in_any_case_and_with_an_article(text):
    assert may_mean_the_same(text, text)
    assert may_mean_the_same(text, f"the {text}")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"refuse_share": 0.5, "no_gold_target": "refuse"},
            "dataset.refuse_share: got 0.5, but dataset.no_gold_target",
        ),
        ({"refuse_share": 0.5, "p": 1.0}, "dataset.refuse_share: got 0.5, but with dataset.p=1"),
        ({"conflict_share": 0.5, "p": 0.0}, "dataset.conflict_share: got 0.5, but with dataset.p=0"),
        ({"conflict_share": 0.5, "num_distractors": 0}, "dataset.conflict_share: got 0.5, but with dataset.num"),
    ],
)
def test_a_share_without_rows_is_refused(changes, why):
    with pytest.raises(ValidationError, match=why):
        DatasetConfig(**values("dataset", "default") | changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ("{context: retrieved, conflict: true}", "evaluation.conflict: got true, but evaluation.context=retrieved"),
        ("{without_gold: true, conflict: true}", "evaluation.conflict: got true, but evaluation.without_gold=true"),
        (
            "{num_distractors: 0, conflict: true}",
            "evaluation.conflict: got true, but with evaluation.num_distractors=0",
        ),
    ],
)
def test_a_test_without_a_place_for_a_false_passage_is_refused(changes, why):
    with pytest.raises(Exception, match=why):
        stages_of("+experiment=quickstart", f"+evaluation.conditions.own={changes}")


def test_no_new_setting_changes_a_key():
    plain, off = (stages_of("+experiment=quickstart", "evaluation.arms=[rag,raft]", *more) for more in ((), OFF))
    assert {name: stage.key for name, stage in plain.items()} == {name: stage.key for name, stage in off.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data sets of a small study with both kinds of rows, and both kinds of tests."""
    more = ["dataset.refuse_share=0.5", "dataset.conflict_share=0.5", "evaluation.arms=[rag,raft]", "dataset.p=0.6"]
    conditions = "+evaluation.conditions={no_gold: {without_gold: true}, conflict: {conflict: true}}"
    small = ["+experiment=quickstart", "corpus.num_entities=60", "dataset.max_items=60", "evaluation.max_items=40"]
    return run(tmp_path_factory.mktemp("special"), *small, *more, conditions)


def test_the_rows_of_a_study(made):
    refusal = parse(compose("+experiment=quickstart")).prompt.refusal
    rows = [row for row in read_jsonl(made["dataset[raft]"] / "rows.jsonl", Example) if row.split == "train"]
    audit = json.loads((made["dataset[raft]"] / "audit.json").read_text())
    without = [row for row in rows if not row.has_gold]
    refusing = [row for row in without if refusal in row.target]
    assert len(refusing) == round(0.5 * len(without)) == audit["refusals"]["train"] > 0
    assert all("##begin_quote##" not in row.target for row in refusing)
    counts = Counter(audit["conflicts"]["train"])
    assert sum(counts.values()) == round(0.5 * (len(rows) - len(without)))
    planted = [row for row in rows if row.planted]
    assert len(planted) == counts["planted"] > 0
    for row in planted:
        [copy] = [passage for passage in row.context if passage.id.startswith("conflict:")]
        assert not copy.gold
        assert row.has_gold
        assert row.planted in f"{copy.title} {copy.text}"
        assert row.planted in row.messages[-2]["content"]
        assert row.answers[0] in row.target, "the target stays right"
        assert row.planted not in row.target


def test_the_tests_of_a_study(made):
    questions = {q.id: q for q in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    own, without, conflict = (
        {row.id: row for row in read_jsonl(made[f"dataset[{name}]"] / "rows.jsonl", Example)}
        for name in ("test", "test@no_gold", "test@conflict")
    )
    assert list(own) == list(without)
    assert all(len(own[name].context) == len(without[name].context) for name in own), "equally long"
    counts = json.loads((made["dataset[test@conflict]"] / "audit.json").read_text())["conflicts"]["test"]
    assert len(conflict) == counts.pop("planted") > 0
    assert set(own) >= set(conflict)
    assert len(own) - len(conflict) == sum(counts.values())
    assert counts.get("label", 0) == sum(questions[name].answers[0] in ("yes", "no", "maybe") for name in own)
    for name, row in conflict.items():
        beside = zip(own[name].context, row.context, strict=True)
        same = [(old.id == new.id, new.id.startswith("conflict:")) for old, new in beside]
        assert sorted(same) == [(False, True), *[(True, False)] * (len(same) - 1)], "all else stands where it was"
        assert row.planted in {question.answers[0] for question in questions.values() if question.split == "test"}


def test_a_test_in_which_no_false_passage_is_possible_is_refused_before_training(tmp_path):
    towns = [f"T{number}" for number in range(30)]
    lines(tmp_path / "passages.jsonl", *({"id": town, "text": f"{town} is a town by a river."} for town in towns))
    asked = ({"question": f"Is {town} a town?", "answers": ["yes"], "gold": [town]} for town in towns)
    lines(tmp_path / "questions.jsonl", *asked)
    own = ["corpus=passages", f"corpus.path={tmp_path}/passages.jsonl", f"corpus.questions={tmp_path}/questions.jsonl"]
    conditions = "+evaluation.conditions={own: {num_distractors: 1, conflict: true}}"
    why = (
        r"conditions\.own\.conflict: got true, but no question can have a false passage; .* \(the answer is yes, no or"
    )
    with pytest.raises(DataError, match=why):
        run(
            tmp_path / "store",
            *own,
            conditions,
            "evaluation.arms=[rag]",
            "evaluation.num_distractors=1",
            until="dataset",
        )
