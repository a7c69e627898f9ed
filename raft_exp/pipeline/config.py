"""The configuration of a study as typed dataclasses. `parsing.parse` builds it from YAML values.

Each group's dataclass stands beside the code that uses it. YAML under conf/ holds all default values; the dataclasses
define the valid values, and `config_checks` what the groups rule out together.
"""

import re
from dataclasses import field
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from raft_exp.core.schema import Count, KeyedWhenSet, Runtime, Seed, config_dataclass
from raft_exp.core.stage import StageName
from raft_exp.corpora import CorpusConfig
from raft_exp.dataset.stage import DatasetConfig
from raft_exp.engines import EngineConfig
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.primary import resolve
from raft_exp.evaluation.results import Primary
from raft_exp.evaluation.selection import SelectionConfig
from raft_exp.exports import ExportConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.loading import ModelConfig
from raft_exp.prompts import PromptConfig
from raft_exp.reporting.wandb.config import LoggerConfig
from raft_exp.retrieval import RetrieverConfig
from raft_exp.teachers import TeacherConfig
from raft_exp.training.config import LoraConfig, TrainerConfig


@config_dataclass
class ArmConfig:
    """An arm of the comparison: a recipe for training and a context at test."""

    recipe: Literal["none", "closed_book", "raft"]
    context: Literal["none", "passages"]
    cot: bool  # asks for reasoning before the answer
    adapter: str | None  # a ready adapter folder instead of training one
    dataset: dict[str, object]  # changes to `dataset` for this arm's training set, e.g. {cot: false}
    engine: EngineConfig | None = None  # null: the study's engine
    trainer: KeyedWhenSet[dict[str, object]] = field(default_factory=dict)  # changes to `trainer` for its training
    lora: KeyedWhenSet[dict[str, object]] = field(default_factory=dict)  # changes to `lora` for its training
    examples: KeyedWhenSet[Count] = 0  # worked examples of training before each question, for an arm without a training

    @model_validator(mode="after")
    def _has_weights_of_one_origin(self) -> "ArmConfig":
        if self.adapter and self.recipe != "none":
            raise ValueError(
                f"arms.*.recipe: got {self.recipe!r} beside a ready adapter; an arm with adapter=DIR has recipe: none"
            )
        if self.dataset and self.recipe != "raft":
            raise ValueError(
                f"arms.*.dataset: got {self.dataset}; only an arm with recipe: raft can change dataset settings"
            )
        return self

    @model_validator(mode="after")
    def _examples_need_an_untrained_arm(self) -> "ArmConfig":
        if self.examples and self.recipe != "none":
            raise ValueError(
                f"arms.*.examples: got {self.examples} beside recipe: {self.recipe}, whose training shows no examples; "
                "give 0, or recipe: none"
            )
        return self

    def needs_weights(self) -> bool:
        """Whether the arm has weights of its own, which a model behind a server cannot load."""
        return self.recipe != "none" or self.adapter is not None


@config_dataclass
class RunConfig:
    """What the run folder holds."""

    copy: Runtime[bool]  # data sets and predictions as files instead of links into the store


@config_dataclass
class Config:
    """One study."""

    study: str  # name in the report, and group of its runs in W&B; jobs of a sweep are grouped by the sweep's folder
    note: str  # shown in the report above the figures; "" for none
    corpus: CorpusConfig
    encoder: EncoderConfig
    retriever: RetrieverConfig
    teacher: TeacherConfig
    prompt: PromptConfig
    dataset: DatasetConfig
    export: ExportConfig
    model: ModelConfig
    lora: LoraConfig
    trainer: TrainerConfig
    engine: EngineConfig
    evaluation: EvaluationConfig
    logger: Runtime[LoggerConfig]
    arms: dict[str, ArmConfig]
    seed: Seed
    store: Runtime[str]
    until: Runtime[StageName]
    dry_run: Runtime[bool]
    preview: Runtime[Count]
    report: Runtime[Literal["html", "wandb"]] = "html"  # the default keeps runs from before this setting readable
    selection: SelectionConfig = SelectionConfig()
    run: RunConfig = RunConfig(copy=False)
    # The prompts that `evaluation.wordings` names, whole: `pipeline.wordings` reads their files.
    wordings: dict[str, PromptConfig] = field(default_factory=dict)

    def trained_arms(self) -> list[str]:
        """The arms under test that have a training, in their order."""
        return [name for name in self.evaluation.arms if self.arms[name].recipe != "none"]

    def untrained_arms(self) -> list[str]:
        """The arms under test that use the study's model without any training."""
        arms = {name: self.arms[name] for name in self.evaluation.arms}
        return [name for name, arm in arms.items() if not arm.needs_weights() and arm.engine is None]

    def tried_with_examples(self) -> list[str]:
        """The arms under test for which worked examples are a candidate beside the wordings of their prompt."""
        if self.evaluation.prompts == "as_written" or not self.evaluation.examples or self.dataset.path:
            return []
        arms = {name: self.arms[name] for name in self.untrained_arms()}
        return [name for name, arm in arms.items() if not arm.examples and (self.dataset.cot or not arm.cot)]

    def makes_wandb_page(self) -> bool:
        """Whether the study ends with a W&B Report."""
        return self.report == "wandb" and self.until == "report" and not self.preview and not self.dry_run


def primary_of(config: Config) -> Primary:
    """Returns the study's primary metric and contrast. Raises ConfigError for names that the study does not have."""
    arms = {name: {"recipe": config.arms[name].recipe, "cot": config.arms[name].cot} for name in config.evaluation.arms}
    return resolve(config.evaluation.primary, arms, profile(config.corpus.name, config.evaluation.metrics).metrics)


def is_file_name(name: str) -> bool:
    """Whether the name of an arm or a condition can name files."""
    return re.fullmatch(r"[\w.+-]+", name) is not None


def conf_dir() -> Path:
    """Returns the folder of the YAML files: in the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())
