"""Translates the shipped prompts and teacher tasks into the language of the documents (`prompt.language`).

For each language, conf/prompt/languages/ has a file with the texts of the shipped prompts (default, brief, json_reply)
and the headings of the prompt modes; conf/task/languages/ has a file with the texts of the tasks cot_answer, answerable
and questions. Other tasks stay in English. Each folder of Hydra's search path may have such files, in prompt/languages/
and task/languages/. Texts that the user has written are not replaced.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir

ENGLISH = "en"
_PROMPTS = ("default", "brief", "json_reply")
_WORDS = ("system", "answer_instruction", "reason_instruction", "refusal")
_TASKS = ("cot_answer", "answerable", "questions")  # not five_sentences: it quotes a published notebook
_TASK_WORDS = ("system", "prompt", "again")
_TEACHER = ("targets", "questions", "check")  # the settings of a teacher that hold tasks

Words = dict[tuple[str, object], object]  # (name of a setting, its English words) -> the words of a language


def with_language(values: Mapping[str, object], folders: Sequence[Path]) -> dict[str, object]:
    """Returns a study's settings `values` with the shipped prompt and teacher tasks translated.

    The setting `prompt.language` names the language; its files are searched in `folders`. Raises ConfigError if a file
    or a text in it is missing, or if evaluation.prompts=auto would try the shipped wordings, which are English.
    """
    prompt, evaluation = values.get("prompt"), values.get("evaluation")
    language = prompt.get("language", ENGLISH) if isinstance(prompt, dict) else ENGLISH
    if not isinstance(prompt, dict) or language == ENGLISH:
        return dict(values)
    files = _files(folders, "prompt")
    if language not in files:
        raise ConfigError(f"prompt.language: got {language!r}; {suggest(str(language), [ENGLISH, *files])}")
    if isinstance(evaluation, dict) and evaluation.get("prompts") == "auto" and evaluation.get("wordings") is None:
        raise ConfigError(
            f"prompt.language: got {language!r}, but the wordings that evaluation.prompts=auto tries are English; name "
            "your own wordings (evaluation.wordings=[...]), or set evaluation.prompts=as_written"
        )
    words = _words(files[language], "prompt", _PROMPTS, _WORDS)
    worded = {name: words.get((name, value), value) if name in _WORDS else value for name, value in prompt.items()}
    headings, own = _loaded(files[language]).get("headings"), prompt.get("headings")
    if isinstance(headings, dict) and (own is None or isinstance(own, dict)):
        worded = {**worded, "headings": {**headings, **(own or {})}}
    return {**values, "prompt": worded, "teacher": _teacher(values.get("teacher"), str(language), folders)}


def _teacher(teacher: object, language: str, folders: Sequence[Path]) -> object:
    """Returns the teacher's settings with its shipped tasks in `language`. Raises ConfigError if no file has them."""
    if not isinstance(teacher, dict):
        return teacher
    shipped = _shipped("task", _TASKS)
    tasks = {name: task for name in _TEACHER if isinstance(task := teacher.get(name), dict)}
    if not any((name, value) in shipped for task in tasks.values() for name, value in task.items() if name == "prompt"):
        return teacher
    files = _files(folders, "task")
    if language not in files:
        raise ConfigError(
            f"prompt.language: got {language!r}, but there is no translation of the tasks in "
            f"{', '.join(f'teacher.{name}' for name in tasks)}; write conf/task/languages/{language}.yaml, like "
            "conf/task/languages/de.yaml, or set a task of your own for each (task@teacher.targets=NAME)"
        )
    words = _words(files[language], "task", _TASKS, _TASK_WORDS)
    return {**teacher, **{name: _worded(task, words) for name, task in tasks.items()}}


def _worded(task: Mapping[str, object], words: Words) -> dict[str, object]:
    """Returns a task with its texts in another language. A task with the user's own prompt is returned unchanged."""
    if ("prompt", task.get("prompt")) not in words:
        return dict(task)
    return {name: words.get((name, value), value) if name in _TASK_WORDS else value for name, value in task.items()}


def _files(folders: Sequence[Path], group: str) -> dict[str, Path]:
    """Returns the file of each language. If several folders have one, the first folder counts."""
    found = (sorted((folder / group / "languages").glob("*.yaml")) for folder in reversed(folders))
    return {file.stem: file for of_folder in found for file in of_folder}


def _shipped(group: str, options: Sequence[str]) -> dict[tuple[str, object], str]:
    """Maps (name of a setting, its English text) to the name of the shipped prompt or task with this text."""
    return {
        (str(name), value): option
        for option in options
        for name, value in _loaded(conf_dir() / group / f"{option}.yaml").items()
        if isinstance(value, str)
    }


def _words(file: Path, group: str, options: Sequence[str], names: Sequence[str]) -> Words:
    """Reads the translated texts of the prompts or tasks `options`. Raises ConfigError for a missing text.

    `names`: the settings of a prompt or task that are texts.
    """
    translated, words = _loaded(file), Words()
    for option in options:
        english, own = _loaded(conf_dir() / group / f"{option}.yaml"), translated.get(option)
        if not isinstance(own, dict):
            raise ConfigError(f"prompt.language: {file} has no texts of {option!r}; add them")
        for name in names:
            if name in english:
                if name not in own:
                    raise ConfigError(f"prompt.language: {file} has no {option}.{name}; add this text")
                words[name, english[name]] = own[name]
    return words


def _loaded(file: Path) -> dict[str, object]:
    values = OmegaConf.to_container(OmegaConf.load(file))
    return {str(name): value for name, value in values.items()} if isinstance(values, dict) else {}
