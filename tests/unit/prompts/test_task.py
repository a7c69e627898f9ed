"""Sentences of a prompt that models repeat as their reply."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from raft_exp.pipeline.config import conf_dir
from raft_exp.prompts.task import answer_like
from tests.helpers.command_line import raft_exp
from tests.helpers.composing import compose

EXPERIMENTS = sorted(Path(conf_dir(), "experiment").rglob("*.yaml"))


@pytest.mark.parametrize(
    "task",
    [
        "The answer is a few words.",
        "Answer: yes or no",
        "##Answer: a name",
        "**Answer:** yes, no or maybe",
        "The correct answer is yes, no or maybe.",
        "Your final answer must be a number.",
        "Be short. The answer should be a name.",
        "Answers are short.",
        "A: a name",
        "Yes, no or maybe.",
        "It is yes or no.",
    ],
)
def test_a_sentence_about_the_answer_reads_like_one(task):
    assert answer_like(task)


@pytest.mark.parametrize(
    "task",
    [
        "",
        "Answer with a few words taken from the passages.",
        "Answer yes, no or maybe.",
        "Reply with yes, no, or a few words.",
        "Give the answer: a few words.",
        "Answer in the form: ##Answer: {answer}",
        "Do not explain the answer.",
        "No explanation, please.",
    ],
)
def test_a_request_does_not(task):
    assert answer_like(task) == ""


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_no_shipped_task_reads_like_an_answer(file):
    values = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(values, dict)
    assert answer_like((values.get("prompt") or {}).get("task", "")) == ""


@pytest.mark.parametrize("file", sorted(Path(conf_dir(), "prompt").rglob("*.yaml")), ids=lambda file: file.stem)
def test_no_shipped_prompt_holds_such_a_sentence(file):
    words = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(words, dict)
    for name in ("system", "answer_instruction", "reason_instruction"):
        assert answer_like(words.get(name, "")) == "", name


def test_the_embedded_studys_prompt_is_what_it_was():
    assert compose("+experiment=quickstart")["prompt"] == {
        "system": "You answer questions. Where passages are given, rely on them; some of them may not help.",
        "task": "",
        "answer_instruction": "Answer in the form: ##Answer: {answer}",
        "reason_instruction": "Quote what tells it, then answer.",
        "refusal": "The passages do not hold the answer.",
        "reply_format": "paper",
        "language": "en",
        "date": "2024-07-26",
    }


@pytest.mark.slow
def test_such_a_task_of_ones_own_is_named_in_one_line_and_runs(tmp_path):
    done = raft_exp(tmp_path, "prompt.task='The answer is a name.'", "model=tiny", "dry_run=true")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("prompt.task:")]
    assert "'The answer is a name.' reads like an answer" in line
    assert "prompt.task:" not in raft_exp(tmp_path, "prompt.task='Reply with a name.'", "dry_run=true").stderr
