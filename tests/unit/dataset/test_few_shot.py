"""The worked examples of an arm: which training rows, in which form, how many."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raft_exp import prompts
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, read_jsonl, write_jsonl
from raft_exp.dataset.few_shot import ExamplesStage, worked_examples
from raft_exp.dataset.rows import Window
from raft_exp.models.loading import load_tokenizer
from raft_exp.prompts.few_shot import FewShot, as_example
from tests.helpers import small_training as small

REASONED = "##Reason: ##begin_quote## It was founded. ##end_quote## ##Answer: {}"


@pytest.fixture
def rows(tmp_path) -> Path:
    """Training rows with reasons; every third lacks its gold, and one is a test question."""
    folder = tmp_path / "rows"
    folder.mkdir()
    made = [small.example(number, "train", passages=1 + number % 3) for number in range(1, 30)]
    made = [
        replace(row, target=REASONED.format(row.answers[0]), has_gold=n % 3 > 0, target_grounded=n % 3 > 0)
        for n, row in enumerate(made)
    ]
    write_jsonl(folder / "rows.jsonl", [*made, small.example(40, "validation")])
    return folder


@pytest.fixture
def test(tmp_path) -> Path:
    folder = tmp_path / "test"
    folder.mkdir()
    write_jsonl(folder / "rows.jsonl", [replace(small.example(n, "test", 2), id=f"t{n}") for n in (0, 40)])
    return folder


def made(out: Path, rows: Path, test: Path, **changes: Any) -> list[Example]:
    out.mkdir()
    window = Window("asset:tiny", None, changes.pop("max_length", 2048), 32)
    settings: dict[str, Any] = {"context": "passages", "cot": False, "examples": 3, "seed": 0, "arm": "rag_few_shot"}
    stage = ExamplesStage(prompt=small.prompt_config(), prompt_mode="plain_text", window=window, **settings | changes)
    worked_examples(stage, rows=rows, test=test, out=out)
    found = list(read_jsonl(out / "rows.jsonl", Example))
    assert json.loads((out / "counts.json").read_text()) == {"examples": len(found)}
    return found


def test_rows_that_hold_the_gold_drawn_by_the_seed(tmp_path, rows, test):
    first, again = made(tmp_path / "a", rows, test), made(tmp_path / "b", rows, test)
    other = made(tmp_path / "c", rows, test, seed=1)
    assert first == again
    assert [row.id for row in first] != [row.id for row in other]
    by_id = {row.id: row for row in read_jsonl(rows / "rows.jsonl", Example)}
    asked = {row.question for row in read_jsonl(test / "rows.jsonl", Example)}
    for row in [*first, *other]:
        assert by_id[row.id].has_gold
        assert by_id[row.id].split == "train"
        assert row.question not in asked
        assert row.target == f"##Answer: {row.answers[0]}"
        assert row.messages[-1] == {"role": "assistant", "content": row.target}


def test_reasons_where_the_arm_reasons_and_no_passages_where_it_sees_none(tmp_path, rows, test):
    assert all(prompts.parse(row.target, "paper").reason for row in made(tmp_path / "a", rows, test, cot=True))
    closed = made(tmp_path / "b", rows, test, context="none")
    assert all(row.context == [] and "Passage" not in row.messages[-2]["content"] for row in closed)


@pytest.mark.parametrize("max_length", [300, 400, 700])
def test_they_fit_beside_the_test_prompts_or_are_fewer(tmp_path, rows, test, max_length):
    tokenizer, config = load_tokenizer("asset:tiny"), small.prompt_config()
    few_shot = FewShot(tokenizer, max_length - 32)
    found = made(tmp_path / "a", rows, test, max_length=max_length)
    assert 1 <= len(found) <= 3
    for row in read_jsonl(test / "rows.jsonl", Example):
        alone = prompts.messages(config, "plain_text", row.question, row.context, False)
        messages, count = few_shot.fitted(alone, [as_example(config, "plain_text", False, e) for e in found])
        assert messages[-1]["content"].endswith(alone[-1]["content"])
        assert count == len(found)


def test_no_row_with_gold_and_no_room_are_refused_in_one_line(tmp_path, rows, test):
    without = [replace(row, has_gold=False) for row in read_jsonl(rows / "rows.jsonl", Example)]
    write_jsonl(rows / "rows.jsonl", without)
    with pytest.raises(
        DataError,
        match=r"arms\.rag_few_shot\.examples: got 3, but no training row has its gold passages in the context; ",
    ):
        made(tmp_path / "a", rows, test)


def test_an_arm_that_need_not_have_examples_has_none_with_a_warning(tmp_path, rows, test, caplog):
    without = [replace(row, has_gold=False) for row in read_jsonl(rows / "rows.jsonl", Example)]
    write_jsonl(rows / "rows.jsonl", without)
    assert made(tmp_path / "a", rows, test, required=False, arm="rag") == []
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("arm rag: worked examples are not tried: evaluation.examples: got 3, but no training row")


def test_a_window_without_room_for_one_is_refused_in_one_line(tmp_path, rows, test):
    with pytest.raises(
        DataError, match=r"arms\.rag_few_shot\.examples: got 3, but the shortest example has \d+ tokens"
    ) as error:
        made(tmp_path / "a", rows, test, max_length=160)
    assert "\n" not in str(error.value)
