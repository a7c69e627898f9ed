"""Builds the settings of stages that read several groups of the configuration: data sets, report."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from raft_exp import retrieval
from raft_exp.core.schema import identity
from raft_exp.corpora import shares_gold
from raft_exp.dataset.config import DatasetConfig
from raft_exp.dataset.overlap import MOST_GOLD_OVERLAP
from raft_exp.dataset.pool_check import Demand
from raft_exp.dataset.rows import Window
from raft_exp.dataset.supply import SettingNames
from raft_exp.dataset.testing_stage import TestStage
from raft_exp.dataset.training_stage import ClosedBookStage, RaftStage
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.evaluation.judge.config import shown as shown_judge
from raft_exp.evaluation.references_stage import ReferencesStage
from raft_exp.evaluation.selection import AS_WRITTEN
from raft_exp.models import loading
from raft_exp.pipeline.arm_settings import arm_dataset, resolved_trainer
from raft_exp.pipeline.conditions import without_gold
from raft_exp.pipeline.config import ArmConfig, Config, profile_of
from raft_exp.pipeline.trainings import trainings
from raft_exp.pipeline.wordings import wordings
from raft_exp.reporting.stage import ReportStage
from raft_exp.teachers.model import is_model
from raft_exp.teachers.model import shown as shown_teacher


def test_settings(config: Config, evaluation: EvaluationConfig, window: Window, named: SettingNames) -> TestStage:
    """Returns the settings of the stage that makes the test rows.

    `evaluation`: the settings of the test, or of a condition. `window`: tokenizer and length limits of the model.
    `named`: the names of these settings in error messages.
    """
    names = {field.name for field in fields(TestStage)}
    same = {field.name: getattr(evaluation, field.name) for field in fields(evaluation) if field.name in names}
    return TestStage(
        **same,
        retriever=replace(
            config.retriever,
            k=evaluation.k or config.retriever.k,
            rerank=config.retriever.rerank if evaluation.context == "retrieved" else None,
        ),
        prompt=config.prompt,
        prompt_mode=config.dataset.prompt_mode,
        window=window,
        seed=config.seed,
        workers=config.dataset.workers,
        names=named,
        other_prompts=[prompt for name, prompt in wordings(config).items() if name != AS_WRITTEN],
    )


def raft_settings(config: Config, owner: tuple[str, ArmConfig], window: Window) -> RaftStage:
    """Returns the settings of a raft training set. `owner`: name and settings of the first arm trained on it."""
    name, arm = owner
    names = SettingNames.of("dataset", arm.dataset, f"arms.{name}.dataset")
    data = with_gold_limit(config, arm_dataset(config, name, arm))
    retriever = replace(config.retriever, k=data.k or config.retriever.k) if data.context == "retrieved" else None
    return RaftStage(replace(data, k=None), config.prompt, window, config.seed, names, retriever)


def closed_book_settings(config: Config, owner: tuple[str, ArmConfig], window: Window) -> ClosedBookStage:
    """Returns the settings of a closed-book training set. `owner`: name and settings of the first arm trained on it."""
    data = with_gold_limit(config, arm_dataset(config, *owner))
    limits = (data.prompt_mode, data.max_items, data.allow_overlap, data.max_gold_overlap)
    cot = bool(owner[1].dataset.get("cot"))  # dataset.cot of the study is about the raft recipe
    return ClosedBookStage(config.prompt, *limits, window, config.seed, data.workers, cot)


def with_gold_limit(config: Config, data: DatasetConfig) -> DatasetConfig:
    """Returns `data` with a value for `max_gold_overlap`: its own, or the default of the corpus if it is None."""
    if data.max_gold_overlap is not None:
        return data
    return replace(data, max_gold_overlap=1.0 if shares_gold(config.corpus) else MOST_GOLD_OVERLAP)


def references_settings(config: Config) -> ReferencesStage | None:
    """Returns the settings of the stage of long references; None where replies are compared with answers."""
    own = profile_of(config)
    if own.reference == "answers":
        return None
    return ReferencesStage(own.reference, config.evaluation.split, own.closed)


def searched_sources(settings: TestStage) -> set[str]:
    """Returns the retrieval sources that the test rows need: bm25, dense, ..."""
    if settings.context == "retrieved":
        return {settings.retriever.name}
    return retrieval.source_names(settings.distractors, settings.mixed) if settings.context != "given" else set()


def sources_of(demand: Demand) -> set[str]:
    """Returns the retrieval sources of a data set's distractors; set() if its contexts are retrieved or published."""
    if isinstance(demand, TestStage):
        return searched_sources(demand) if demand.context == "gold_and_distractors" else set()
    if isinstance(demand, RaftStage) and demand.dataset.chooses_gold:
        return retrieval.source_names(demand.dataset.distractors, demand.dataset.mixed)
    return set()


def report_settings(config: Config) -> ReportStage:
    """Returns the settings of the report stage, for a study and for a report that is rebuilt from a run folder."""
    own = profile_of(config)
    return ReportStage(
        study=config.study,
        note=config.note,
        corpus=config.corpus.name,
        model=config.model.name_or_path,
        seed=config.seed,
        metrics=config.evaluation.metrics,
        encoder=config.encoder if own.needs_vectors else None,
        reference=own.reference,
        tokenizer=own.tokenizer,
        reply_format=config.prompt.reply_format,
        refusal=config.prompt.refusal,
        conditions=config.evaluation.conditions,
        min_quote_words=config.evaluation.min_quote_words,
        labels=config.evaluation.labels,
        arms={name: _shown_arm(config, name) for name in config.evaluation.arms},
        settings=_shown_settings(config),
        trainings={arm: training.label for training in trainings(config) for arm in training.arms},
        primary=config.evaluation.primary,
        without_gold=without_gold(config),
        random_weights=loading.has_random_weights(config.model.name_or_path) and _uses_the_model(config),
    )


def _uses_the_model(config: Config) -> bool:
    """Whether the study's own model, and not one behind a server, generates the replies of at least one arm."""
    engines = (config.arms[name].engine or config.engine for name in config.evaluation.arms)
    return any(engine.name != "openai" for engine in engines)


def _shown_settings(config: Config) -> dict[str, object]:
    groups = ("corpus", "teacher", "dataset", "model", "lora", "trainer", "evaluation")
    settings: dict[str, Any] = {name: identity(getattr(config, name)) for name in groups}
    settings["trainer"] = identity(resolved_trainer(config))
    if config.selection.on:
        settings["trainer"].pop("learning_rate")
        settings["selection"] = identity(config.selection)
    if changes := _arm_changes(config):
        settings = {"arms": changes, **settings}
    if is_model(config.teacher):
        settings["teacher"] = shown_teacher(config.teacher)
    if config.evaluation.judge is not None:
        settings["evaluation"]["judge"] = shown_judge(config.evaluation.judge)
    if config.dataset.path:  # p, D and the like do not apply to a ready chat file
        settings["dataset"] = {"path": Path(config.dataset.path).name, "cot": config.dataset.cot}
    return settings


def _shown_arm(config: Config, name: str) -> dict[str, object]:
    """Returns the settings of an arm, without its learning rate if the study chooses one."""
    arm = config.arms[name]
    if config.selection.on:
        arm = replace(arm, trainer={key: value for key, value in arm.trainer.items() if key != "learning_rate"})
    settings: dict[str, object] = identity(arm)
    return settings


def _arm_changes(config: Config) -> dict[str, dict[str, object]]:
    """Returns for each trained arm its changes to `trainer` and `lora`. Arms without changes are left out."""
    shown = {name: _shown_arm(config, name) for name in config.trained_arms()}
    changes: dict[str, dict[str, object]] = {
        name: {group: own for group, own in arm.items() if group in ("trainer", "lora")} for name, arm in shown.items()
    }
    return {name: own for name, own in changes.items() if own}
