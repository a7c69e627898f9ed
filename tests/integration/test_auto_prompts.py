"""A whole study that chooses the wording of its untrained arms: the choice, the report, and what asks with it."""

import json
from pathlib import Path
from typing import Literal

import pytest

from raft_exp.apps import cli
from raft_exp.apps.ask.session import AskOptions, RagSession
from raft_exp.core.records import Example, read_jsonl
from raft_exp.evaluation.stage import EvaluateStage, evaluate
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.run import FinishedRun
from tests.helpers import small_study
from tests.helpers.command_line import data_files, statuses
from tests.helpers.composing import compose

pytestmark = pytest.mark.slow

ARMS = ("base", "rag", "rag_few_shot")
AUTO = (
    "evaluation.prompts=auto",
    "evaluation.wordings=[terse,question_last]",
    "selection.max_items=4",
    "+selection.changes.allow_fewer=true",
    f"evaluation.arms=[{','.join(ARMS)},raft]",
    "evaluation.conditions={k0:{num_distractors:0}}",
    "dataset.num_distractors=1",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return small_study.make(tmp_path_factory.mktemp("auto"), *AUTO)


def test_the_choice_stands_in_the_results_and_the_report_with_all_that_was_tried(run):
    selection = json.loads((run / "results.json").read_text())["selection"]
    assert list(selection) == [f"{arm}@prompt" for arm in ARMS]
    for name, choice in selection.items():
        best = max(choice["candidates"], key=lambda candidate: (candidate["mean"], candidate["tie_break"]))
        assert (choice["chosen"], choice["value"]) == (best["name"], best["value"])
        tried = [candidate["name"] for candidate in choice["candidates"]]
        assert tried == ["as_written", "terse", "question_last", *([] if "rag_few_shot" in name else ["few_shot"])]
        assert all(figure["n"] == 4 for candidate in choice["candidates"] for figure in candidate["arms"].values())
        assert name in (run / "report.md").read_text()
    assert "question_last" in (run / "report.html").read_text()


def test_the_arm_is_tested_with_the_chosen_words(run, tmp_path):
    finished = FinishedRun(run)
    for arm in ("base", "rag"):
        prompt, settings = finished.prompt(arm), finished.config.arms[arm]
        choice = finished.results["selection"][f"{arm}@prompt"]
        chosen, shown = choice["value"], choice["chosen"] == "few_shot"
        assert bool(finished.examples(arm)) == shown
        assert (prompt.system, prompt.answer_instruction) == (chosen["system"], chosen["answer_instruction"])
        context: Literal["none", "passages"] = "passages" if settings.shows_passages else "none"
        stage = EvaluateStage(
            finished.config.model, finished.config.engine, prompt, "plain_text", context, settings.cot, None
        )
        (tmp_path / arm).mkdir()
        examples = finished.path(f"dataset[examples@{arm}@few_shot]") if shown else None
        evaluate(stage, test=finished.path("dataset[test]"), examples=examples, out=tmp_path / arm)
        there = finished.path(f"evaluate[{arm}]") / "answers.jsonl"
        assert (tmp_path / arm / "answers.jsonl").read_bytes() == there.read_bytes()
    assert finished.prompt("raft") == finished.config.prompt


def test_ask_uses_the_words_and_the_examples_of_the_arm(run):
    finished = FinishedRun(run)
    examples = finished.examples("rag_few_shot")
    assert 1 <= len(examples) <= 3
    for arm in ("rag", "rag_few_shot"):
        session = RagSession(finished, AskOptions(arm=arm, accelerator="cpu"))
        asked = session.prompt("q", examples[0].question)
        assert asked.request
        chat = asked.request.messages
        prompt = finished.prompt(arm)
        assert (chat[0]["content"] if prompt.system else "").startswith(prompt.system)
        replies = [message["content"] for message in chat if message["role"] == "assistant"]
        assert replies == [row.target for row in finished.examples(arm)][: len(replies)]
    assert replies


def test_the_report_says_how_many_examples_were_shown(run):
    arms = json.loads((run / "results.json").read_text())["arms"]
    shown = arms["rag_few_shot"]["examples"]
    assert 0 <= shown["fewest"] <= shown["mean"] <= shown["most"] <= 3
    assert "examples" not in arms["raft"]
    assert "worked examples" in (run / "report.md").read_text()


def test_the_passages_of_a_prompt_are_those_of_rag(run):
    finished = FinishedRun(run)
    tokenizer, model = load_tokenizer("asset:pocket"), finished.config.model
    for row in read_jsonl(finished.path("dataset[test]") / "rows.jsonl", Example):
        assert len(encode_prompt(tokenizer, row.messages)) <= model.max_length - model.max_new_tokens
    folders = [finished.path(f"evaluate[{arm}]") for arm in ("rag", "rag_few_shot")]
    inputs = [json.loads((folder / "manifest.json").read_text())["inputs"]["test"] for folder in folders]
    assert inputs[0] == inputs[1]


def test_the_same_study_again_reuses_everything_and_a_new_store_gives_the_same_bytes(run, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    cli.study(compose(*small_study.SMALL, *AUTO, f"store={run.parent / 'store'}"), again, [])
    assert set(statuses(again).values()) == {"reused"}
    other = small_study.make(tmp_path / "other", *AUTO)
    assert data_files(other.parent / "store") == data_files(run.parent / "store")
