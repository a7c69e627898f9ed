"""The chat messages of a prompt, and its settings: a custom prompt is one YAML file."""

import json

import pytest

from raft_exp import prompts
from raft_exp.core.errors import ConfigError
from raft_exp.core.records import ContextPassage
from raft_exp.pipeline.parsing import parse
from raft_exp.prompts import MODES, PromptConfig
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.composing import compose

PROMPT = PromptConfig(
    "Be brief.", "Yes or no.", "Say ##Answer: {answer}", "Say ##Reason: ... ##Answer: ...", "Unknown.", "paper"
)


def test_closed_book_shows_the_question_alone():
    system, user = prompts.messages(PROMPT, "plain_text", "Is it?", None, cot=False)
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "Question: Is it?\nYes or no. Say ##Answer: {answer}"}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_shows_question_passages_and_the_instruction_asked_for(mode):
    context = [ContextPassage("id", "d", "Title", "The text.", True, "page 2")]
    for cot, instruction in ((True, "Say ##Reason: ... ##Answer: ..."), (False, "Say ##Answer: {answer}")):
        (*_, user) = prompts.messages(PROMPT, mode, "Is it?", context, cot)
        found = MODES[mode].read(user["content"])
        assert found.question == "Is it?"
        assert found.passages == [("Title", "page 2", "The text.")]
        assert found.instruction == f"Yes or no. {instruction}"
    (*_, closed) = prompts.messages(PROMPT, mode, "Is it?", None, cot=False)
    assert "assage" not in closed["content"]
    assert MODES[mode].read(closed["content"]).question == "Is it?"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.prompt_mode=html", r"dataset\.prompt_mode: got 'html'; must be .plain_text., .markdown., .yaml., "),
        ("prompt.reply_format=csv", r"prompt\.reply_format: got 'csv'; must be .paper. or .json."),
        (
            "prompt.reply_format=json",
            r"prompt\.reply_format: got 'json', but prompt\.answer_instruction asks for",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(override, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(compose(override))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_prompt_of_ones_own_is_one_yaml_file(tmp_path):
    (tmp_path / "conf" / "prompt").mkdir(parents=True)
    (tmp_path / "conf" / "prompt" / "mine.yaml").write_text(
        "defaults: [json_reply]\n"
        "system: Du beantwortest Fragen.\n"
        'answer_instruction: \'Antworte so: {"answer": "..."}\'\n'
        'reason_instruction: \'Begründe, dann: {"reason": "...", "answer": "..."}\'\n'
    )
    done = raft_exp(
        tmp_path, "prompt=mine", "dataset.prompt_mode=yaml", "model=tiny", "until=dataset", "corpus.num_entities=60"
    )
    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    row = json.loads((run / "dataset" / "raft.jsonl").read_text().splitlines()[0])
    system, user, said = row["messages"]
    assert system["content"] == "Du beantwortest Fragen."
    found = MODES["yaml"].read(user["content"])
    assert found.instruction == 'Begründe, dann: {"reason": "...", "answer": "..."}'
    assert found.question == row["question"]
    assert [text for *_, text in found.passages] == [passage["text"] for passage in row["context"]]
    reply = prompts.parse(said["content"], "json")
    assert (reply.prediction, reply.parsed) == (row["answers"][0], True)
    assert reply.quotes
