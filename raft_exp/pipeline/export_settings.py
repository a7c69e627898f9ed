"""Builds the settings of the export stage, and checks what a study can export."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import identity
from raft_exp.core.stage import STAGES
from raft_exp.corpora import origin
from raft_exp.evaluation.metrics import METRICS
from raft_exp.exports import FORMATS, Kind
from raft_exp.exports.card import Card
from raft_exp.exports.stage import ExportStage, tables_of
from raft_exp.pipeline.arm_settings import arm_dataset
from raft_exp.pipeline.config import ArmConfig, Config, primary_of
from raft_exp.pipeline.tool_settings import tool_settings
from raft_exp.prompts.reward_settings import RewardSettings

Recipes = Mapping[str, tuple[str, ArmConfig]]  # training set -> name and settings of the first arm trained on it

_TEST: Kind = "test"


def ends_before_datasets(config: Config) -> bool:
    """Whether `until` is a stage before the data sets, so that only passages can be exported."""
    return STAGES.index(config.until) < STAGES.index("dataset")


def passages_alone(config: Config) -> ExportStage | None:
    """Returns the settings of the export stage in a study that ends before its data sets.

    Returns None if passages are not exported. Raises ConfigError if the study ends before its passages are read.
    """
    if not config.export.passages:
        return None
    if STAGES.index(config.until) < STAGES.index("ingest"):
        raise ConfigError(
            f"export.passages={config.export.passages}: got until={config.until}, which ends before passages are read; "
            "set until=ingest or a later stage, or export.passages=false"
        )
    return ExportStage([], True, config.export.format, {}, None)


def not_exported(config: Config) -> str:
    """Returns one line about exports that `preview` or `until` leaves out; "" if it leaves none out."""
    tables = [
        f"export.{name}" for name, value in (("dataset", config.export.names), ("for", config.export.tools)) if value
    ]
    if config.preview:
        names = [*tables, *(["export.passages"] if config.export.passages else [])]
        return (
            f"preview={config.preview} exports nothing; run without preview to write {', '.join(names)}"
            if names
            else ""
        )
    if tables and ends_before_datasets(config):
        return (
            f"until={config.until} ends before the data sets; set until=dataset or later to write {', '.join(tables)}"
        )
    return ""


def check_file(config: Config) -> None:
    """Raises ConfigError if `export.passages` names a folder, or a file inside the folder of the corpus."""
    if isinstance(config.export.passages, bool):
        return
    file, corpus = Path(config.export.passages).resolve(), getattr(config.corpus, "path", None)
    if file.is_dir():
        raise ConfigError(f"export.passages={config.export.passages}: is a folder; name a file")
    if config.corpus.name == "documents" and corpus and file.is_relative_to(Path(corpus).resolve()):
        raise ConfigError(
            f"export.passages={config.export.passages}: lies in corpus.path, so the next study would read it as a "
            "document; name a file outside corpus.path"
        )


def export_settings(config: Config, recipes: Recipes, tests: Iterable[str]) -> ExportStage | None:
    """Returns the settings of the export stage; None if nothing is exported.

    `recipes`: the first arm of each training set; `tests`: names of the test sets. Raises ConfigError for a format in
    which no data set of the study can be written.
    """
    settings = config.export
    if not settings.has_tables and not settings.tools:
        return None
    kinds = {name: _kind(config, *owner) for name, owner in recipes.items()} | dict.fromkeys(tests, _TEST)
    rewards = reward_settings(config, recipes) if any(FORMATS[name].graded for name in settings.names) else {}
    for name in settings.names:
        if not tables_of(kinds, [name], rewards):
            arms = "raft with dataset.cot=true" if FORMATS[name].quoting else "raft, sft"
            raise ConfigError(
                f"export.dataset: got {name!r}, but no arm of evaluation.arms has a training set for it; "
                f"add such an arm ({arms}), or name another format"
            )
    card = _card(config, recipes, kinds) if settings.format == "hf" and settings.has_tables else None
    trainers = tool_settings(config) if settings.tools else None
    return ExportStage(settings.names, bool(settings.passages), settings.format, kinds, card, rewards, trainers)


def _of_single_answers(metric: str) -> bool:
    """Whether a metric gives a value to each single answer, computed from the question's row alone."""
    return METRICS[metric].observe is not None and METRICS[metric].per_row and not METRICS[metric].reads_corpus


def reward_settings(config: Config, recipes: Recipes) -> dict[str, RewardSettings]:
    """Returns for each training set the settings by which replies to its rows are graded.

    Raises ConfigError for a primary metric that has no value for a single reply.
    """
    metric = primary_of(config)["metric"]
    if not _of_single_answers(metric):
        per_reply = [name for name in METRICS if _of_single_answers(name)]
        raise ConfigError(
            f"export.dataset: got {config.export.dataset!r}, whose rewards need a metric of single answers, but "
            f"evaluation.primary.metric is {metric!r}; set evaluation.primary.metric to one of {', '.join(per_reply)}"
        )
    return {
        name: RewardSettings(
            corpus=config.corpus.name,
            metric=metric,
            reply_format=config.prompt.reply_format,
            refusal=config.prompt.refusal,
            cot=arm.recipe == "raft" and arm_dataset(config, owner, arm).cot,
            min_quote_words=config.evaluation.min_quote_words,
        )
        for name, (owner, arm) in recipes.items()
    }


def _kind(config: Config, name: str, arm: ArmConfig) -> Kind:
    if arm.recipe == "raft":
        return "ready" if arm_dataset(config, name, arm).path else "raft"
    return "closed_book"


def _card(config: Config, recipes: Recipes, kinds: Mapping[str, Kind]) -> Card:
    published = origin(config.corpus)
    datasets = {name: arm_dataset(config, *owner) for name, owner in recipes.items() if kinds[name] == "raft"}
    return Card(
        study=config.study,
        corpus=config.corpus.name,
        source=published.source,
        licence=config.export.licence or published.licence,
        teacher=config.teacher.name,
        prompt_mode=config.dataset.prompt_mode,
        seed=config.seed,
        recipes={name: identity(dataset) for name, dataset in datasets.items()},
    )
