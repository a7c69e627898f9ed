"""The words of a prompt in the language of the documents (`prompt.language`).

A file of conf/prompt/languages/, in any folder of Hydra's search path, has the words of the shipped prompts by their
names: default, brief, json_reply. They replace the English words of those; words of the user's own stay.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir

ENGLISH = "en"
_PROMPTS = ("default", "brief", "json_reply")
_WORDS = ("system", "answer_instruction", "reason_instruction", "refusal")


def with_language(values: Mapping[str, object], folders: Sequence[Path]) -> dict[str, object]:
    """Returns `values` with the prompt in its language. Raises ConfigError for a language without a file."""
    prompt, evaluation = values.get("prompt"), values.get("evaluation")
    language = prompt.get("language", ENGLISH) if isinstance(prompt, dict) else ENGLISH
    if not isinstance(prompt, dict) or language == ENGLISH:
        return dict(values)
    found = (sorted((folder / "prompt" / "languages").glob("*.yaml")) for folder in reversed(folders))
    files = {file.stem: file for of_folder in found for file in of_folder}
    if language not in files:
        raise ConfigError(f"prompt.language: got {language!r}; {suggest(str(language), [ENGLISH, *files])}")
    if isinstance(evaluation, dict) and evaluation.get("prompts") == "auto" and evaluation.get("wordings") is None:
        raise ConfigError(
            f"prompt.language: got {language!r}, but the wordings that evaluation.prompts=auto tries are English; name "
            "your own (evaluation.wordings=[...]), or give evaluation.prompts=as_written"
        )
    words = _words(files[language])
    return {**values, "prompt": {name: words.get((name, value), value) for name, value in prompt.items()}}


def _words(file: Path) -> dict[tuple[str, object], object]:
    """(name of a setting, its English words) -> the words of the file."""
    translated = OmegaConf.to_container(OmegaConf.load(file))
    words: dict[tuple[str, object], object] = {}
    for option in _PROMPTS:
        english = OmegaConf.to_container(OmegaConf.load(conf_dir() / "prompt" / f"{option}.yaml"))
        own = translated.get(option) if isinstance(translated, dict) else None
        if not isinstance(english, dict) or not isinstance(own, dict):
            raise ConfigError(f"prompt.language: {file} must have {', '.join(_PROMPTS)}")
        for name in _WORDS:
            if name in english:
                if name not in own:
                    raise ConfigError(f"prompt.language: {file} must have {option}.{name}")
                words[name, english[name]] = own[name]
    return words
