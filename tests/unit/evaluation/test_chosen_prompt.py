"""The prompt that a select stage chose, with and without worked examples, where an arm is asked with it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from raft_exp.core.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.core.schema import identity
from raft_exp.evaluation.chosen_prompt import chosen_examples, chosen_prompt
from raft_exp.evaluation.select_stage import SelectStage, select
from raft_exp.evaluation.stage import evaluate
from tests.helpers import small_training as small

PROMPT = small.prompt_config(system="Find the year.")


@pytest.fixture
def test_rows(tmp_path) -> Path:
    return small.dataset(tmp_path / "test", train=0, validation=0, test=3)


@pytest.fixture
def examples(tmp_path) -> Path:
    folder = tmp_path / "examples"
    folder.mkdir()
    write_jsonl(folder / "rows.jsonl", [small.example(9, "train", 1)])
    return folder


def answered(folder: Path, said: str) -> Path:
    folder.mkdir()
    write_jsonl(folder / "answers.jsonl", [Answer(f"q{number}", said, False, 1, 1) for number in range(3)])
    return folder


def choice(tmp_path: Path, test: Path, examples: Path, *, right: str) -> Path:
    """The folder of a choice between the prompt alone and the prompt with examples, of which `right` answers right."""
    names = ("as_written", "few_shot")
    rows = list(read_jsonl(test / "rows.jsonl", Example))
    write_jsonl(test / "rows.jsonl", [replace(row, answers=["blue"]) for row in rows])
    values = {name: identity(PROMPT) for name in names}
    arms: dict[str, dict[str, object]] = {"rag": {"context": "passages", "cot": False}}
    settings = SelectStage("prompt", values, False, "exact_match", "almanac", "paper", "", arms, 0, None)
    answers = {
        f"rag@{name}": answered(tmp_path / name, "##Answer: " + ("blue" if name == right else "red")) for name in names
    }
    out = tmp_path / "choice"
    out.mkdir()
    select(settings, test=test, answers=answers, payloads={"few_shot": examples}, out=out)
    return out


def asked(out: Path, test: Path, **inputs: Path) -> tuple[bytes, dict[str, int]]:
    out.mkdir()
    evaluate(small.evaluate_stage(prompt=PROMPT), test=test, out=out, **inputs)
    return (out / "answers.jsonl").read_bytes(), json.loads((out / "counts.json").read_text())


def test_examples_that_were_chosen_are_shown_at_test(tmp_path, test_rows, examples):
    chosen = choice(tmp_path, test_rows, examples, right="few_shot")
    assert chosen_prompt(chosen) == PROMPT
    assert chosen_examples(chosen) == chosen
    with_choice = asked(tmp_path / "a", test_rows, chosen=chosen)
    assert with_choice == asked(tmp_path / "b", test_rows, examples=examples)
    assert with_choice[1]["fewest_examples"] == 1


def test_a_prompt_without_examples_that_was_chosen_stays_without(tmp_path, test_rows, examples):
    chosen = choice(tmp_path, test_rows, examples, right="as_written")
    assert chosen_examples(chosen) is None
    with_choice = asked(tmp_path / "a", test_rows, chosen=chosen)
    assert with_choice == asked(tmp_path / "b", test_rows)
    assert "examples" not in with_choice[1]


def test_questions_of_another_corpus_are_asked_with_its_task_in_the_chosen_prompt(tmp_path, test_rows, examples):
    chosen = choice(tmp_path, test_rows, examples, right="as_written")
    task = "Reply with a year and nothing else."
    replies = {}
    for name, prompt, inputs in (
        ("chosen", PROMPT, {"chosen": chosen}),
        ("written", replace(PROMPT, task=task), {}),
        ("plain", PROMPT, {}),
    ):
        out = tmp_path / f"asked {name}"
        out.mkdir()
        config = small.evaluate_stage(prompt=prompt, task=task if inputs else None)
        evaluate(config, test=test_rows, out=out, **inputs)
        replies[name] = (out / "answers.jsonl").read_bytes()
    assert replies["chosen"] == replies["written"] != replies["plain"]
