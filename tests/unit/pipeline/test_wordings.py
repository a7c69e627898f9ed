"""Wordings of the prompt for untrained arms: their files, what is refused, and the keys of the stages."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.wordings import with_wording_files, wordings
from raft_exp.prompts import messages
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

SHIPPED = sorted(file.stem for file in Path(conf_dir(), "prompt", "wordings").glob("*.yaml"))
AUTO = ("evaluation.prompts=auto", "evaluation.arms=[base,rag,rag_few_shot,sft,raft]", "evaluation.conditions=null")
QUESTION = "When was it built?"


def own(folder: Path, name: str, text: str) -> Path:
    (folder / "prompt" / "wordings").mkdir(parents=True, exist_ok=True)
    (folder / "prompt" / "wordings" / f"{name}.yaml").write_text(text)
    return folder


def values(*overrides: str) -> dict[str, Any]:
    """The composed values before the wordings are read."""
    return {**compose(*overrides), "wordings": {}}


def test_five_or_six_wordings_ship_each_with_the_studys_task_and_form():
    config = parse(compose("evaluation.prompts=auto", "prompt.task='Reply with a year.'"))
    tried = wordings(config)
    assert list(tried) == ["as_written", *SHIPPED]
    assert 5 <= len(tried) <= 7
    for name, prompt in tried.items():
        assert (prompt.task, prompt.reply_format, prompt.refusal) == (
            config.prompt.task,
            config.prompt.reply_format,
            config.prompt.refusal,
        )
        for cot in (True, False):
            chat = messages(prompt, "plain_text", QUESTION, None, cot)
            text = "\n".join(message["content"] for message in chat)
            assert text.count("Reply with a year.") == 1, name
            assert "##Answer:" in text
    assert len({str(messages(prompt, "plain_text", QUESTION, None, False)) for prompt in tried.values()}) == len(tried)
    assert (
        messages(tried["question_last"], "plain_text", QUESTION, None, False)[-1]["content"].strip().endswith(QUESTION)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_wording_trains_and_tests_as_the_studys_prompt(name):
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = hydra_compose("config", overrides=[f"prompt=wordings/{name}"])
    tried = wordings(parse(compose("prompt=default", "evaluation.prompts=auto", "+experiment=quickstart")))
    own = parse(compose(f"prompt=wordings/{name}")).prompt
    assert composed["prompt"]["system"] == own.system
    assert (own.system, own.answer_instruction, own.reason_instruction, own.instruction_in) == (
        tried[name].system,
        tried[name].answer_instruction,
        tried[name].reason_instruction,
        tried[name].instruction_in,
    )


def test_a_new_wording_is_one_file(tmp_path):
    text = "system: Hi.\nanswer_instruction: 'Say ##Answer: x'\nreason_instruction: 'Say ##Reason: ##Answer: x'\n"
    made = with_wording_files(values("evaluation.prompts=auto"), [own(tmp_path, "mine", text), Path(conf_dir())])
    found = parse(made).wordings
    assert set(found) == {*SHIPPED, "mine"}
    assert found["mine"].system == "Hi."
    only = {**made["evaluation"], "wordings": ["mine"]}  # type: ignore[dict-item]
    chosen = with_wording_files({**made, "wordings": {}, "evaluation": only}, [tmp_path, Path(conf_dir())])
    assert list(parse(chosen).wordings) == ["mine"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("evaluation.wordings=[ters]",), r"evaluation\.wordings: got 'ters'; .*terse"),
        (("evaluation.wordings=[]",), r"evaluation\.wordings: got \[\], but evaluation\.prompts=auto needs at least"),
        (("evaluation.split=validation",), r"evaluation\.split: got 'validation', but evaluation\.prompts"),
        (("corpus.validation=0.0",), r"corpus\.validation: got 0\.0, but evaluation\.prompts is chosen on"),
        (("prompt=json_reply",), r"evaluation\.wordings: \w+ asks for ##Answer:, but prompt\.reply_format is json"),
        (("evaluation.prompts=always",), r"evaluation\.prompts: got 'always'; must be"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_one_line(overrides, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(compose("evaluation.prompts=auto", *overrides))
    assert "\n" not in str(error.value)


def test_a_file_that_changes_the_study_is_refused(tmp_path):
    text = "system: a\nanswer_instruction: b\nreason_instruction: c\ntask: Reply in verse.\n"
    with pytest.raises(ConfigError, match=r"odd\.yaml has task, but the study sets this"):
        with_wording_files(values("evaluation.prompts=auto"), [own(tmp_path, "odd", text)])


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (
            "{recipe: raft, context: passages, cot: true, adapter: null, dataset: {}, examples: 2}",
            "only an untrained arm",
        ),
        ("{recipe: none, context: passages, cot: true, adapter: null, dataset: {}, examples: 2}", "without reasoning"),
    ],
)
def test_examples_that_no_training_has_are_refused(arm, message):
    with pytest.raises(ConfigError, match=message):
        parse(compose("+arms.odd=" + arm, "evaluation.arms=[odd]", "dataset.cot=false"))


def test_keys_without_a_choice_are_what_they_were():
    plain = stages_of("evaluation.arms=[rag,raft]")
    told = stages_of("evaluation.arms=[rag,raft]", "evaluation.prompts=as_written", "evaluation.wordings=null")
    assert {name: stage.key for name, stage in plain.items()} == {name: stage.key for name, stage in told.items()}


def test_the_choice_is_in_the_keys_of_untrained_arms_alone():
    plain = stages_of(*AUTO, "evaluation.prompts=as_written")
    auto = stages_of(*AUTO)
    other = stages_of(*AUTO, "evaluation.wordings=[terse,chat]")
    for name in ("train[raft]", "train[closed_book]", "dataset[raft]"):
        assert plain[name].key == auto[name].key == other[name].key
    for arm in ("base", "rag", "rag_few_shot"):
        assert len({made[f"evaluate[{arm}]"].key for made in (plain, auto, other)}) == 3
        assert list(auto).index(f"select[{arm}@prompt]") < list(auto).index(f"evaluate[{arm}]")
        tried = [name for name in auto if name.startswith(f"evaluate[{arm}@prompt=")]
        assert len(tried) == len(SHIPPED) + 1 + (arm != "rag_few_shot")
    assert "select[raft@prompt]" not in auto
    assert [name for name in plain if name.startswith("select")] == []


def test_worked_examples_are_one_more_candidate_of_arms_without():
    auto = stages_of(*AUTO)
    for arm in ("base", "rag"):
        shown = auto[f"evaluate[{arm}@prompt=few_shot]"].inputs["examples"]
        assert shown is auto[f"dataset[examples@{arm}@few_shot]"]
        assert auto[f"select[{arm}@prompt]"].inputs["payloads"] == {"few_shot": shown}
    assert "dataset[examples@rag_few_shot@few_shot]" not in auto
    assert "payloads" not in auto["select[rag_few_shot@prompt]"].inputs
    for name in ("evaluation.examples=0", "dataset.path=rows"):
        assert (
            stages_of(*AUTO[:1], "evaluation.arms=[rag]", "evaluation.conditions=null", name)
            .keys()
            .isdisjoint({"dataset[raft]", "evaluate[rag@prompt=few_shot]"})
        )


def test_a_study_that_trains_nothing_draws_its_examples_from_a_training_set_all_the_same():
    made = stages_of(*AUTO[:1], "evaluation.arms=[rag,rag_cot]", "evaluation.conditions=null")
    assert {"dataset[raft]", "dataset[examples@rag@few_shot]", "dataset[examples@rag_cot@few_shot]"} <= set(made)
    plain = stages_of(*AUTO[:1], "evaluation.arms=[rag,rag_cot]", "evaluation.conditions=null", "dataset.cot=false")
    assert "evaluate[rag@prompt=few_shot]" in plain
    assert "evaluate[rag_cot@prompt=few_shot]" not in plain, "no training row has reasons"


@pytest.mark.parametrize("name", ["as_written", "few_shot"])
def test_the_names_of_what_is_always_tried_are_taken(tmp_path, name):
    text = "system: Hi.\nanswer_instruction: 'Say ##Answer: x'\nreason_instruction: 'Say ##Reason: ##Answer: x'\n"
    folders = [own(tmp_path, name, text), Path(conf_dir())]
    with pytest.raises(ConfigError, match=rf"evaluation\.wordings: got '{name}', a name that is reserved"):
        with_wording_files(values("evaluation.prompts=auto"), folders)


def test_a_study_of_an_arm_with_its_own_engine_or_adapter_chooses_nothing_for_it():
    arm = "+arms.mine={recipe: none, context: passages, cot: false, adapter: null, dataset: {}, engine: {name: openai, "
    arm += "base_url: 'http://x/v1', model: m, served_as: null, api_key_env: K, max_new_tokens: 9, extra_body: {}, "
    arm += "in_flight: 1, attempts: 1, timeout: 1.0, max_requests: null}}"
    made = stages_of("evaluation.prompts=auto", "evaluation.arms=[rag,mine]", arm, "evaluation.conditions=null")
    assert "select[rag@prompt]" in made
    assert "select[mine@prompt]" not in made
