"""From the study's configuration to what its export stage is told."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import identity
from raft_exp.corpora import origin
from raft_exp.exports import Kind
from raft_exp.exports.card import Card
from raft_exp.exports.stage import ExportStage, tables_of
from raft_exp.pipeline.config import ArmConfig, Config, arm_dataset

Recipes = Mapping[str, tuple[str, ArmConfig]]  # a training set's name -> the arm that it is made for

_TEST: Kind = "test"


def check_file(config: Config) -> None:
    """Raises ConfigError where `export.passages` names a place that no file can have."""
    if isinstance(config.export.passages, bool):
        return
    file, read = Path(config.export.passages).resolve(), getattr(config.corpus, "path", None)
    if file.is_dir():
        raise ConfigError(f"export.passages={config.export.passages}: a folder; name a file")
    if config.corpus.name == "documents" and read and file.is_relative_to(Path(read).resolve()):
        raise ConfigError(
            f"export.passages={config.export.passages}: lies in corpus.path, and would be read as a document the next "
            "time; name a file outside it"
        )


def settings(config: Config, recipes: Recipes, tests: Iterable[str]) -> ExportStage | None:
    """None where nothing is exported. Raises ConfigError for a format that no dataset of the study has."""
    how = config.export
    if not how.wanted:
        return None
    kinds = {name: _kind(config, *owner) for name, owner in recipes.items()} | dict.fromkeys(tests, _TEST)
    for wanted in how.names:
        if not tables_of(kinds, [wanted]):
            raise ConfigError(
                f"export.dataset: got {wanted!r}, and no arm of evaluation.arms has such a training set; "
                "name one (raft, sft), or another format"
            )
    card = _card(config, recipes, kinds) if how.format == "hf" else None
    return ExportStage(how.names, bool(how.passages), how.format, kinds, card)


def _kind(config: Config, name: str, arm: ArmConfig) -> Kind:
    if arm.recipe == "raft":
        return "ready" if arm_dataset(config, name, arm).path else "raft"
    return "closed_book"


def _card(config: Config, recipes: Recipes, kinds: Mapping[str, Kind]) -> Card:
    found = origin(config.corpus)
    made = {name: arm_dataset(config, *owner) for name, owner in recipes.items() if kinds[name] == "raft"}
    return Card(
        study=config.study,
        corpus=config.corpus.name,
        source=found.source,
        licence=config.export.licence or found.licence,
        teacher=config.teacher.name,
        prompt_mode=config.dataset.prompt_mode,
        seed=config.seed,
        recipes={name: identity(how) for name, how in made.items()},
    )
