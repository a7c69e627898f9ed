"""Reads the settings of other corpora (`evaluation.transfer`) from the YAML files of their own studies.

The entry `hotpotqa` takes its corpus from conf/corpus/hotpotqa.yaml, and the settings of its test from
conf/evaluation/default.yaml. conf/experiment/hotpotqa.yaml changes both, and has the task. So the questions, contexts
and task are those of `+experiment=hotpotqa`. An entry may also have the name of any other experiment (`real`). An entry
whose setting `name` is the name of the corpus may have any name: `{old: {name: almanac, world_seed: 7}}`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.corpora import CorpusConfig
from raft_exp.dataset.testing_stage import TestStage
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.pipeline.config_errors import explained

Values = dict[str, object]

# The settings of `evaluation` that decide questions and contexts of a test.
_OF_ROWS = {field.name for field in fields(TestStage)} - {"split"} | {"k"}
TEST = tuple(field.name for field in fields(EvaluationConfig) if field.name in _OF_ROWS)
_OWN = ("task", "evaluation")  # settings of an entry that are not those of its corpus
_WHOLE = {"corpus", *_OWN}


def with_transfer_files(values: Mapping[str, object], folders: Sequence[Path]) -> Values:
    """Returns a study's settings `values` with all settings of each corpus in `evaluation.transfer`.

    `folders`: the folders of Hydra's search path. Each file is read from the first folder that has this file. Raises
    ConfigError for an unknown name, and for a setting that the corpus does not have.
    """
    evaluation = values.get("evaluation")
    named = evaluation.get("transfer") if isinstance(evaluation, dict) else None
    if not named or not isinstance(evaluation, dict):
        return dict(values)
    entries = {name: _entry(name, changes, values, folders) for name, changes in _named(named).items()}
    return {**values, "evaluation": {**evaluation, "transfer": entries}}


def _named(value: object) -> dict[str, Values]:
    """Returns {name: settings} of the entries in a list of names, a mapping, or a list of both."""
    parts = value if isinstance(value, list) else [value]
    entries: dict[str, Values] = {}
    for part in parts:
        found = part if isinstance(part, dict) else {part: {}}
        for name, changes in found.items():
            if not isinstance(name, str) or not isinstance(changes, dict | None) or isinstance(value, str):
                raise ConfigError(
                    f"evaluation.transfer: got {value!r}; give names in brackets, [hotpotqa], or names with settings, "
                    "{hotpotqa: {path: DIR}}"
                )
            entries[name] = changes or {}
    return entries


def _entry(name: str, changes: Values, values: Mapping[str, object], folders: Sequence[Path]) -> Values:
    if set(changes) == _WHOLE:  # the settings of a finished run
        return changes
    place = f"evaluation.transfer.{name}"
    of_corpus = {key: value for key, value in changes.items() if key not in _OWN}
    experiment = _experiment(name, folders) or _experiment(str(of_corpus.get("name", "")), folders)
    named = str(of_corpus.get("name") or experiment.get("name") or name)
    corpora = _files(folders, "corpus")
    if named not in corpora:
        studies = [study for study in _files(folders, "experiment") if _experiment(study, folders).get("name")]
        others = ", ".join(study for study in studies if study not in corpora)
        raise ConfigError(
            f"evaluation.transfer: got {named!r}, which is no corpus; {suggest(named, corpora)}; or name an "
            f"experiment, whose corpus and settings are then used: {others}"
        )
    corpus = _merged(values, place, _loaded(corpora[named]), experiment.get("corpus"), of_corpus)
    own_test = changes.get("evaluation") or {}
    if not isinstance(own_test, dict):
        raise ConfigError(f"{place}.evaluation: got {own_test!r}; give a mapping, such as {{num_distractors: 2}}")
    default = _loaded(_files(folders, "evaluation")["default"])
    test = _merged(values, place, _test(default), _test(experiment.get("evaluation")), own_test)
    if unknown := next((key for key in test if key not in TEST), None):
        raise ConfigError(f"{place}.evaluation: got {unknown!r}; {suggest(unknown, TEST)}")
    _check_corpus(corpus, place)
    return {"corpus": corpus, "task": changes.get("task", experiment.get("task", "")), "evaluation": test}


def _experiment(name: str, folders: Sequence[Path]) -> Values:
    """Returns `name` (of the corpus), `corpus`, `evaluation` and `task` of the experiment `name`; {} without its file.

    The settings of the experiments in the `defaults` list are included. The experiment's own settings replace them.
    """
    files = _files(folders, "experiment")
    if name not in files:
        return {}
    own, found = _loaded(files[name]), Values()
    defaults = own.get("defaults")
    for default in defaults if isinstance(defaults, list) else []:
        if isinstance(default, dict):
            chosen = next((option for group, option in default.items() if str(group).split()[-1] == "/corpus"), None)
            found |= {"name": chosen} if chosen else {}
        elif default not in ("_self_", name):
            found |= _experiment(str(default), folders)
    prompt = own.get("prompt")
    task = {"task": prompt["task"]} if isinstance(prompt, dict) and "task" in prompt else {}
    both = {key: _joined(found.get(key), own.get(key)) for key in ("corpus", "evaluation")}
    return {**found, **both, **task}


def _joined(*groups: object) -> Values:
    return {str(key): value for group in groups if isinstance(group, dict) for key, value in group.items()}


def _test(evaluation: object) -> Values:
    return {key: value for key, value in _joined(evaluation).items() if key in TEST}


def _merged(values: Mapping[str, object], place: str, *groups: object) -> Values:
    """Merges settings; later groups replace earlier values. Values may refer to the study: `${seed}`."""
    given = [group for group in groups if group]
    try:
        study = OmegaConf.create({**values, "merged": OmegaConf.merge(*given)})
        merged = OmegaConf.to_container(study.merged, resolve=True)
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        raise ConfigError(f"{place}: {' '.join(str(error).split())}; give a mapping of settings") from None
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items() if key != "defaults"}


def _check_corpus(corpus: Values, place: str) -> None:
    try:
        checked: object = TypeAdapter(CorpusConfig).validate_json(json.dumps(corpus))
    except ValidationError as error:
        raise ConfigError(f"{place}: {explained(error, ('corpus',), place)[0]}") from None
    except ConfigError as error:  # an invalid combination of settings
        raise ConfigError(f"{place}: {error}") from None
    assert checked


def _files(folders: Sequence[Path], group: str) -> dict[str, Path]:
    """Returns the files of a group of settings by name. If several folders have one, the first folder counts."""
    found = (sorted((folder / group).glob("*.yaml")) for folder in reversed(folders))
    return {file.stem: file for of_folder in found for file in of_folder}


def _loaded(file: Path) -> Values:
    loaded = OmegaConf.to_container(OmegaConf.load(file))
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}
