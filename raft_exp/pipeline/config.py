"""The configuration of a study as typed dataclasses. `parsing.parse` builds it from YAML values.

The dataclass of each group is defined in the module that uses it. The default values are in the YAML files of conf/.
The dataclasses define the valid values of each setting; `config_checks` rejects invalid combinations.
"""

import re
from dataclasses import field
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from raft_exp.core.schema import Count, KeyedWhenSet, Runtime, Seed, config_dataclass
from raft_exp.core.stage import StageName
from raft_exp.corpora import CorpusConfig
from raft_exp.dataset.config import DatasetConfig
from raft_exp.engines import EngineConfig
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.evaluation.metrics import Profile, profile
from raft_exp.evaluation.metrics.tokenizers import tokenizer_of
from raft_exp.evaluation.primary import resolve
from raft_exp.evaluation.results import Primary
from raft_exp.evaluation.selection import SelectionConfig
from raft_exp.exports import ExportConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.loading import ModelConfig
from raft_exp.pipeline.spread_settings import ONE_PROCESS, SpreadConfig
from raft_exp.prompts import PromptConfig
from raft_exp.reporting.wandb.config import LoggerConfig
from raft_exp.retrieval import RetrieverConfig
from raft_exp.teachers import TeacherConfig
from raft_exp.training.config import LoraConfig, TrainerConfig


@config_dataclass
class ArmConfig:
    """One arm of the comparison: its training recipe, and its context at test."""

    recipe: Literal["none", "closed_book", "raft"]
    context: Literal["none", "passages", "gold"]  # gold: the gold passages alone, whatever `evaluation` sets
    cot: bool  # whether the prompt asks for reasoning before the answer
    adapter: str | None  # folder of a ready-made adapter, used instead of a training; null: none
    dataset: dict[str, object]  # changes to `dataset` for this arm's training set, e.g. {cot: false}
    engine: EngineConfig | None = None  # null: the study's engine
    trainer: KeyedWhenSet[dict[str, object]] = field(default_factory=dict)  # changes to `trainer` for its training
    lora: KeyedWhenSet[dict[str, object]] = field(default_factory=dict)  # changes to `lora` for its training
    examples: KeyedWhenSet[Count] = 0  # worked examples from training before each question; for untrained arms only

    @model_validator(mode="after")
    def _has_weights_of_one_origin(self) -> "ArmConfig":
        if self.adapter and self.recipe != "none":
            raise ValueError(
                f"arms.*.recipe: got {self.recipe!r} together with adapter={self.adapter!r}; set recipe=none, or "
                "remove the adapter"
            )
        if self.recipe != "raft" and set(self.dataset) - ({"cot"} if self.recipe == "closed_book" else set()):
            raise ValueError(
                f"arms.*.dataset: got {self.dataset}; only an arm with recipe=raft can change dataset settings "
                "(an arm with recipe=closed_book can change cot); remove the changes, or set recipe=raft"
            )
        return self

    @model_validator(mode="after")
    def _examples_need_an_untrained_arm(self) -> "ArmConfig":
        if self.examples and self.recipe != "none":
            raise ValueError(
                f"arms.*.examples: got {self.examples} together with recipe={self.recipe}, but only an untrained arm "
                "can have examples; set examples=0, or recipe=none"
            )
        return self

    @property
    def shows_passages(self) -> bool:
        """Whether the prompts of the arm have passages at test."""
        return self.context != "none"

    @property
    def cites(self) -> bool:
        """Whether the prompts of the arm have passages at test and ask for quotes of them."""
        return self.shows_passages and self.cot

    def needs_weights(self) -> bool:
        """Whether the arm has its own weights. A model behind a server cannot load them."""
        return self.recipe != "none" or self.adapter is not None


@config_dataclass
class RunConfig:
    """The settings of the run folder."""

    copy: Runtime[bool]  # copies data sets and predictions into the run folder instead of linking them to the store


@config_dataclass
class Config:
    """The settings of one study."""

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
    store: Runtime[str]  # a folder, or the URL of a folder in object storage
    until: Runtime[StageName]
    dry_run: Runtime[bool]
    preview: Runtime[Count]
    report: Runtime[Literal["html", "wandb"]] = "html"  # runs older than this setting have no value
    selection: SelectionConfig = SelectionConfig()
    run: RunConfig = RunConfig(copy=False)
    spread: Runtime[SpreadConfig] = ONE_PROCESS
    local_store: Runtime[str] = "store"  # folder of the local results if `store` is a URL
    # The complete prompts that `evaluation.wordings` names. `pipeline.wordings` reads them from files.
    wordings: dict[str, PromptConfig] = field(default_factory=dict)

    def trained_arms(self) -> list[str]:
        """Returns the names of the arms in `evaluation.arms` that are trained, in this order."""
        return [name for name in self.evaluation.arms if self.arms[name].recipe != "none"]

    def untrained_arms(self) -> list[str]:
        """Returns the names of the arms that use the study's own model and engine, without training and adapter."""
        arms = {name: self.arms[name] for name in self.evaluation.arms}
        return [name for name, arm in arms.items() if not arm.needs_weights() and arm.engine is None]

    def tried_with_examples(self) -> list[str]:
        """Returns the names of the arms whose prompt search includes a prompt with worked examples."""
        if self.evaluation.prompts == "as_written" or not self.evaluation.examples or self.dataset.path:
            return []
        arms = {name: self.arms[name] for name in self.untrained_arms()}
        return [name for name, arm in arms.items() if not arm.examples and (self.dataset.cot or not arm.cot)]

    def makes_wandb_page(self) -> bool:
        """Whether the study ends with a W&B Report."""
        return self.report == "wandb" and self.until == "report" and not self.preview and not self.dry_run


def primary_of(config: Config) -> Primary:
    """Returns the primary metric and the two arms that it compares. Raises ConfigError for an unknown metric or arm."""
    arms = {name: {"recipe": config.arms[name].recipe, "cot": config.arms[name].cot} for name in config.evaluation.arms}
    return resolve(config.evaluation.primary, arms, profile_of(config))


def profile_of(config: Config) -> Profile:
    """Returns the metrics of a study, and the texts (answers or longer texts) that they compare replies with."""
    evaluation = config.evaluation
    tokenizer = tokenizer_of(evaluation.bleu_tokenizer, config.prompt.language)
    return profile(config.corpus.name, evaluation.metrics, evaluation.reference, tokenizer)


def is_file_name(name: str) -> bool:
    """Whether a name can be part of file names: it has only letters, digits and `. _ + -`."""
    return re.fullmatch(r"[\w.+-]+", name) is not None


def conf_dir() -> Path:
    """Returns the folder of the shipped YAML files: in the installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())
