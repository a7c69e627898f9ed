"""Exports for training with rewards and preferences: `prompts` and `dpo`."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp import rewards
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import ContextPassage, Example, Passage, Question, Target, read_jsonl
from raft_exp.core.schema import identity
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.exports import preferences
from raft_exp.prompts import completion, parse, quote, quotes
from raft_exp.prompts.reward_settings import RewardSettings
from tests.helpers.stages import run, stages_of

SMALL = ("corpus.num_entities=40", "corpus.validation=0.2", "dataset.p=0.6", "dataset.max_items=40")
ARMS = ("evaluation.arms=[sft,raft,raft_no_cot]", "export.dataset=[prompts,dpo]")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(tmp_path_factory.mktemp("made"), *SMALL, *ARMS)


def rows(made: dict[str, Path], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made["export"] / "exports" / f"{name}.jsonl").open()]


def dataset(made: dict[str, Path], recipe: str, split: str = "train") -> list[Example]:
    return [row for row in read_jsonl(made[f"dataset[{recipe}]"] / "rows.jsonl", Example) if row.split == split]


def columns(found: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in found] for name in found[0]}


def graded(reward: Any, found: list[dict[str, Any]], replies: Sequence[Any]) -> list[float | None]:
    values: list[float | None] = reward([row["prompt"] for row in found], replies, **columns(found))
    return values


def test_every_training_set_has_prompts_and_those_with_quotes_have_pairs(made):
    names = {path.name.removesuffix(".jsonl") for path in (made["export"] / "exports").iterdir()}
    tables = {"closed_book.prompts", "raft.prompts", "raft_no_cot.prompts", "raft.dpo"}
    assert names == tables | {f"{name}.validation" for name in tables}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_prompts_are_those_of_training_and_rewards_accept_its_targets(made, split):
    suffix = "" if split == "train" else ".validation"
    for recipe in ("closed_book", "raft", "raft_no_cot"):
        learned, found = dataset(made, recipe, split), rows(made, f"{recipe}.prompts{suffix}")
        assert [(row["id"], row["prompt"]) for row in found] == [(row.id, row.messages[:-1]) for row in learned]
        targets = [row.target for row in learned]
        assert set(graded(rewards.answer_right, found, targets)) == {1.0}
        assert set(graded(rewards.form_kept, found, targets)) == {1.0}
        quoted = graded(rewards.quotes_gold, found, targets)
        expected = [float(row.has_gold) if recipe == "raft" else None for row in learned]
        assert quoted == expected, "where gold is hidden the target quotes text that the prompt does not show"
        refused = graded(rewards.refusal_right, found, [found[0]["grading"]["refusal"]] * len(found))
        assert refused == [None if recipe == "closed_book" else float(not row.has_gold) for row in learned]


def test_a_pair_differs_in_its_quotes_alone(made):
    learned, found = {row.id: row for row in dataset(made, "raft")}, rows(made, "raft.dpo")
    assert {row["id"] for row in found} == {row.id for row in learned.values() if row.has_gold}
    for row in found:
        example = learned[row["id"]]
        assert [*row["prompt"], *row["chosen"]] == example.messages
        (rejected,) = row["rejected"]
        check_pair(example, example.target, rejected["content"], row["grading"]["reply_format"], 3)
    for reply, share in (("chosen", 1.0), ("rejected", 0.0)):
        replies = [row[reply] for row in found]
        assert set(graded(rewards.quotes_gold, found, replies)) == {share}
        assert set(graded(rewards.answer_right, found, replies)) == {1.0}
        assert set(graded(rewards.form_kept, found, replies)) == {1.0}


def check_pair(example: Example, chosen: str, rejected: str, reply_format: Any, min_words: int) -> None:
    right, wrong = parse(chosen, reply_format), parse(rejected, reply_format)
    assert len(wrong.quotes) == len(right.quotes) == len(set(wrong.quotes))
    assert (wrong.prediction, wrong.parsed) == (right.prediction, right.parsed)
    assert blank(wrong.reason, wrong.quotes) == blank(right.reason, right.quotes)
    answers = answer_pattern(example.answers)
    for text in wrong.quotes:
        sources = [p for p in example.context if quotes.find(text, p.text, p.title, min_words)]
        assert sources, text
        assert not any(passage.gold for passage in sources)
        assert not (answers and answers.search(text))


def blank(reason: str, quoted: Sequence[str]) -> str:
    for text in quoted:
        reason = reason.replace(quote(text), "QUOTE", 1)
    return reason


def test_another_run_has_the_same_pairs_and_counts_the_rows_without_one(made, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        again = run(tmp_path, *SMALL, "evaluation.arms=[raft]", "export.dataset=dpo")
    files = [folder["export"] / "exports" / "raft.dpo.jsonl" for folder in (made, again)]
    assert files[0].read_bytes() == files[1].read_bytes()
    learned = [*dataset(again, "raft"), *dataset(again, "raft", "validation")]
    missing = sum(not row.has_gold for row in learned)
    assert f"exports/raft.dpo: {missing} rows without a preference pair are left out" in caplog.messages
    assert json.loads((again["export"] / "counts.json").read_text()) == {"raft.dpo": len(learned) - missing}


WORDS = st.sampled_from(
    ["mill", "ford", "Velmor", "Calton", "has", "is", "three", "wheels", "dry", "May", "river", "old"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(lambda words: " ".join(words).capitalize() + ". ")
TEXTS = st.lists(SENTENCES, min_size=1, max_size=4)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_whatever_the_passages_say_a_rejected_reply_quotes_a_distractor(texts, data):
    number = data.draw(st.integers(0, len(texts) - 1), label="gold")
    passages = [
        Passage(f"p{place}", f"d{place}", "Title", "".join(text), "", text, "file") for place, text in enumerate(texts)
    ]
    context = [ContextPassage(p.id, p.document_id, p.title, p.text, p.id == f"p{number}") for p in passages]
    evidence = data.draw(st.lists(st.sampled_from(texts[number]), min_size=1, max_size=2), label="evidence")
    reason = "First " + " and then ".join(map(quote, evidence)) + " so."
    reply_format = data.draw(st.sampled_from(["paper", "json"]), label="format")
    target = completion(Target("q", "wheels", reason), True, reply_format)
    example = Example("q", "What has the mill?", ["wheels"], context, True, target, True, [], "train")
    question = Question("q", example.question, example.answers, [f"p{number}"], "train")
    settings = RewardSettings("documents", "exact_match", reply_format, "No.", True, 3)
    origins: Any = SimpleNamespace(
        rewards=settings,
        form=normalise,
        question=lambda _: question,
        passage=lambda name: next(passage for passage in passages if passage.id == name),
    )
    row: Any = preferences.row(example, origins)
    if row is not None:
        (rejected,) = row["rejected"]
        check_pair(example, target, rejected["content"], reply_format, 3)
    else:
        usable = {s.strip() for p in passages if p.id != f"p{number}" for s in p.sentences if len(s.split()) >= 3}
        gold = texts[number]
        free = {s for s in usable if "wheels" not in s.lower() and not quotes.find(s, "".join(gold), "Title", 3)}
        quotable = all(quotes.find(text.strip(), "".join(gold), "Title", 3) for text in evidence)
        assert not quotable or len(free) < len(evidence)


@pytest.mark.slow
def test_the_datasets_package_reads_the_columns(tmp_path):
    from datasets import load_dataset

    folder = run(tmp_path / "store", *SMALL, *ARMS, "export.format=hf")["export"] / "exports" / "hf"
    for name in ("raft.prompts", "raft.dpo", "closed_book.prompts"):
        found = load_dataset(str(folder), name, split="train", cache_dir=str(tmp_path)).to_list()
        assert set(graded(rewards.answer_right, found, ["##Answer: x"] * len(found))) == {0.0}
        assert found[0]["grading"]["min_quote_words"] == 3


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ("evaluation.arms=[raft_no_cot]", "export.dataset=dpo"),
            r"'dpo', but no arm .* \(raft with dataset\.cot=true",
        ),
        (("evaluation.arms=[rag]", "export.dataset=prompts"), r"'prompts', but no arm .* \(raft, sft\)"),
        (
            ("evaluation.arms=[raft]", "export.dataset=[prompts]", "evaluation.primary.metric=macro_f1"),
            r"export\.dataset: got \['prompts'\], whose rewards need .* is 'macro_f1'; set evaluation\.primary",
        ),
    ],
)
def test_what_cannot_be_graded_or_paired_is_refused_before_a_stage_runs(overrides, told):
    metrics = ("evaluation.metrics=[macro_f1]",)
    with pytest.raises(ConfigError, match=told) as error:
        stages_of(*SMALL, *overrides, *metrics)
    assert "\n" not in str(error.value)


def test_a_data_set_without_any_pair_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no row of the data set 'raft' can be written as 'dpo'; the targets must"):
        run(tmp_path, *SMALL, "evaluation.arms=[raft]", "export.dataset=dpo", "dataset.num_distractors=0")


def test_formats_without_grades_keep_their_keys():
    made = stages_of(*SMALL, "evaluation.arms=[raft]", "export.dataset=[chat,eval]")["export"]
    assert set(identity(made.config)) == {"formats", "passages", "format", "kinds", "card"}
