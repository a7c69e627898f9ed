"""Alternative wordings of the prompt, and the stages that choose one for each untrained arm on validation questions.

A wording is a file of conf/prompt/wordings/ in any folder of Hydra's search path. It has a system message and
instructions; the task, the refusal and the form of the replies are those of the study.

evaluate[rag@prompt=terse] ------+
evaluate[rag@prompt=chat] -------+-> select[rag@prompt] -> evaluate[rag]
evaluate[rag@prompt=few_shot] ---+
           dataset[validation] --+

few_shot is the study's own prompt with worked examples from the training set (evaluation.examples).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import identity
from raft_exp.core.stage import Inputs, Stage
from raft_exp.evaluation.selection import AS_WRITTEN, FEW_SHOT
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.languages import with_language
from raft_exp.pipeline.selection import Selection, choice, choice_settings
from raft_exp.prompts import PromptConfig

_OWN = ("system", "answer_instruction", "reason_instruction")  # texts that a wording must have
_MORE = ("instruction_in",)  # settings that a wording may have

Ask = Callable[[str, str, PromptConfig, Stage | None], Stage]  # arm, label of the stage, prompt, examples


def with_wording_files(values: Mapping[str, object], folders: Sequence[Path]) -> dict[str, object]:
    """Returns a study's settings `values` with the prompt in its language, and all candidate wordings in `wordings`.

    A wording is read from `wordings` in `values`, else from a file in the first of `folders` that has this file.
    Raises ConfigError for an unknown wording, and for a file that has other settings than the texts of a wording.
    """
    values = with_language(values, folders)
    evaluation, prompt, given = values.get("evaluation"), values.get("prompt"), values.get("wordings") or {}
    if not isinstance(evaluation, dict) or not isinstance(prompt, dict) or not isinstance(given, dict):
        return dict(values)  # `parse` reports the error
    if evaluation.get("prompts") != "auto":
        return dict(values)
    found = (sorted((folder / "prompt" / "wordings").glob("*.yaml")) for folder in reversed(folders))
    files = {file.stem: file for of_folder in found for file in of_folder}
    names = evaluation.get("wordings")
    names = [*files, *given] if names is None else names
    if not isinstance(names, list):
        return dict(values)
    wordings = {}
    for name in dict.fromkeys(map(str, names)):
        if name in (AS_WRITTEN, FEW_SHOT):
            raise ConfigError(
                f"evaluation.wordings: got {name!r}, a name that is reserved for the study's prompt; rename the wording"
            )
        if name not in given and name not in files:
            raise ConfigError(f"evaluation.wordings: got {name!r}; {suggest(name, [*files, *given])}")
        wordings[name] = given[name] if name in given else _of_file(name, files[name], prompt)
    return {**values, "wordings": wordings}


def _of_file(name: str, file: Path, prompt: Mapping[str, object]) -> dict[str, object]:
    """Returns the study's prompt with the texts of the wording `name`, read from `file`."""
    words = OmegaConf.to_container(OmegaConf.load(file))
    if not isinstance(words, dict) or not set(_OWN) <= set(words):
        missing = [text for text in _OWN if not isinstance(words, dict) or text not in words]
        raise ConfigError(f"evaluation.wordings: {file} has no {', '.join(missing)}; add these texts to the file")
    if decided := set(words) - {*_OWN, *_MORE, "defaults"}:
        raise ConfigError(
            f"evaluation.wordings: {file} has {', '.join(sorted(map(str, decided)))}, but the study sets this for all "
            "wordings; remove it from the file"
        )
    if (
        prompt.get("reply_format") == "json"
        and "##Answer" in f"{words['answer_instruction']}{words['reason_instruction']}"
    ):
        raise ConfigError(
            f"evaluation.wordings: {name} asks for ##Answer:, but prompt.reply_format is json; name wordings that ask "
            "for a JSON object (evaluation.wordings=[...]), or set evaluation.prompts=as_written"
        )
    kept = {key: value for key, value in prompt.items() if key not in _MORE}
    return {**kept, **{str(key): value for key, value in words.items() if key != "defaults"}}


def wordings(config: Config) -> dict[str, PromptConfig]:
    """Returns the candidate prompts of untrained arms by name, the study's own first; {} without a prompt search."""
    if config.evaluation.prompts == "as_written" or not config.untrained_arms():
        return {}
    others = {name: prompt for name, prompt in config.wordings.items() if prompt != config.prompt}
    return {AS_WRITTEN: config.prompt, **others}


def choose_prompts(
    config: Config, validation: Callable[[str], Stage], studied: Inputs, examples: Mapping[str, Stage], ask: Ask
) -> Selection:
    """Makes the stages that evaluate each untrained arm with every candidate prompt, and choose one for each arm.

    `validation`: returns the stage of an arm's validation questions. `studied`: the stages of passages and questions.
    `examples`: the stages of the worked examples for few_shot, by arm. `ask` makes the stage that evaluates an arm with
    one prompt.
    """
    made = Selection(list({stage.key: stage for stage in map(validation, config.untrained_arms())}.values()))
    for arm in config.untrained_arms():
        tried, shown = wordings(config), examples.get(arm)
        inputs: Inputs = {"test": validation(arm)}
        if shown:
            tried[FEW_SHOT], inputs = config.prompt, {**inputs, "payloads": {FEW_SHOT: shown}}
        answers = {
            f"{arm}@{name}": ask(arm, f"{arm}@prompt={name}", prompt, shown if name == FEW_SHOT else None)
            for name, prompt in tried.items()
        }
        made.answers += answers.values()
        values = {name: identity(prompt) for name, prompt in tried.items()}
        settings = choice_settings(config, "prompt", values, [arm], grid=False, ties=True)
        made.choices[arm] = choice(config, f"{arm}@prompt", settings, {**inputs, "answers": answers}, studied)
    return made
