"""The configuration as typed dataclasses, and `parse`, which builds them from YAML values.

Each group's dataclass stands beside the code that uses it. YAML under conf/ holds all default values; the dataclasses
define the valid values.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, Seed, config_dataclass
from raft_exp.core.stage import StageName
from raft_exp.corpora import CorpusConfig
from raft_exp.dataset.stage import DatasetConfig
from raft_exp.engines import EngineConfig
from raft_exp.evaluation.metrics import METRICS, profile
from raft_exp.evaluation.primary import PrimaryConfig, resolve
from raft_exp.evaluation.results import Primary
from raft_exp.evaluation.selection import SelectionConfig
from raft_exp.exports import ExportConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.loading import ModelConfig
from raft_exp.prompts import PromptConfig, quotes
from raft_exp.reporting.wandb.config import LoggerConfig
from raft_exp.retrieval import Distractors, RetrieverConfig, Shares, check_shares
from raft_exp.teachers import TeacherConfig
from raft_exp.teachers.model import is_model
from raft_exp.training.config import LoraConfig, TrainerConfig

_FILE_NAME = r"[\w.+-]+"
# Best learning rate of a LoRA adapter over that of full fine-tuning: https://thinkingmachines.ai/blog/lora/
_ADAPTER_RATE = 10
_AROUND = (0.1, 0.3, 1, 3, 10)  # selection.learning_rates=auto: factors of the rate that suits the model
_RESERVED = ("raft", "closed_book", "test", "validation")  # dataset names that an arm with its own dataset cannot have
# Settings of the machine, which all trainings of a study share.
_SHARED = (
    "accelerator",
    "devices",
    "strategy",
    "num_nodes",
    "rank_launcher",
    "checkpoint_every",
    "workers",
    "threads",
)

Settings = TypeVar("Settings", TrainerConfig, LoraConfig)


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
    def _one_origin(self) -> "ArmConfig":
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
    def _a_trained_arm_is_asked_as_it_was_trained(self) -> "ArmConfig":
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
class EvaluationConfig:
    """The arms under test, their test questions and their contexts."""

    arms: list[str]
    split: Literal["test", "validation"]
    context: Literal["gold_and_distractors", "retrieved", "given"]
    num_distractors: Count
    distractors: Distractors
    mixed: Shares | None  # with distractors=mixed: the share of each source
    same_document: bool
    allow_fewer: bool
    k: Positive | None  # passages in a retrieved context; null: retriever.k
    gold_at: Count | None  # place of the first gold passage, from 0; null: random, or as published
    without_gold: bool  # gold passages are removed, so that the context does not contain the answer
    max_items: Positive | None
    metrics: list[str]  # in addition to the corpus's own metrics
    # name -> changes to these settings: {num_distractors: 0}. For arms with passages. null: no conditions.
    conditions: Annotated[dict[str, dict[str, object]], BeforeValidator(lambda value: {} if value is None else value)]
    primary: KeyedWhenSet[PrimaryConfig] = PrimaryConfig()
    min_quote_words: KeyedWhenSet[Positive] = quotes.MIN_WORDS  # a quote of fewer words is not verbatim
    # auto: each untrained arm is asked in several wordings on validation questions, and in the best one at test
    prompts: KeyedWhenSet[Literal["as_written", "auto"]] = "as_written"
    wordings: KeyedWhenSet[list[str] | None] = None  # files of conf/prompt/wordings/ by name; null: all of them
    examples: KeyedWhenSet[Count] = 3  # with prompts=auto: worked examples, as one more candidate; 0: no such candidate

    @model_validator(mode="after")
    def _shares_are_whole(self) -> "EvaluationConfig":
        check_shares("evaluation", self.distractors, self.mixed)
        return self

    @model_validator(mode="after")
    def _metrics_are_known(self) -> "EvaluationConfig":
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"evaluation.metrics: got {name!r}; {suggest(name, METRICS)}")
        return self

    @model_validator(mode="after")
    def _retrieved_contexts_have_the_retrievers_order(self) -> "EvaluationConfig":
        if self.gold_at is not None and self.context == "retrieved":
            raise ValueError(
                f"evaluation.gold_at: got {self.gold_at}, but evaluation.context=retrieved has the retriever's "
                "order; give null, or another context"
            )
        return self

    @model_validator(mode="after")
    def _gold_can_be_removed(self) -> "EvaluationConfig":
        if self.without_gold and self.context == "retrieved":
            raise ValueError(
                "evaluation.without_gold: got true, but evaluation.context=retrieved shows what the retriever finds; "
                "give false, or another context"
            )
        if self.without_gold and self.gold_at is not None:
            raise ValueError(
                f"evaluation.gold_at: got {self.gold_at} beside evaluation.without_gold=true, which leaves no gold to "
                "place; give null"
            )
        return self


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
    # The prompts that `evaluation.wordings` names, whole: `pipeline.wordings` reads their files.
    wordings: dict[str, PromptConfig] = field(default_factory=dict)

    def resolved_trainer(self, arm: str | None = None) -> TrainerConfig:
        """The trainer's settings, with the changes of `arm`, and with the model's own values in place of `auto`."""
        return self._resolved(arm_trainer(self, arm) if arm else self.trainer, arm)

    def _resolved(self, trainer: TrainerConfig, arm: str | None) -> TrainerConfig:
        rate = self.model.lora_learning_rate
        if rate is not None and not (arm_lora(self, arm) if arm else self.lora).r:
            rate /= _ADAPTER_RATE
        return trainer.resolved(self.model.dtype, rate)

    def trained_arms(self) -> list[str]:
        """The arms under test that have a training, in their order."""
        return [name for name in self.evaluation.arms if self.arms[name].recipe != "none"]

    def untrained_arms(self) -> list[str]:
        """The arms under test that are the study's model as it is, without any training."""
        arms = {name: self.arms[name] for name in self.evaluation.arms}
        return [name for name, arm in arms.items() if not arm.needs_weights() and arm.engine is None]

    def tried_with_examples(self) -> list[str]:
        """The arms under test for which worked examples are a candidate beside the wordings of their prompt."""
        if self.evaluation.prompts == "as_written" or not self.evaluation.examples or self.dataset.path:
            return []
        arms = {name: self.arms[name] for name in self.untrained_arms()}
        return [name for name, arm in arms.items() if not arm.examples and (self.dataset.cot or not arm.cot)]

    def learning_rates(self, arm: str) -> list[float]:
        """The learning rates that the training of an arm is tried with, in ascending order; [] without a selection."""
        rates = self.selection.learning_rates
        if rates is None:
            return []
        if rates == "auto":
            suits = replace(self.trainer, learning_rate="auto") if self.model.lora_learning_rate else self.trainer
            rate = self._resolved(suits, arm).learning_rate
            assert isinstance(rate, float), "resolved"
            return [float(f"{rate * factor:.3g}") for factor in _AROUND]
        return sorted(rates)

    def makes_wandb_page(self) -> bool:
        """Whether the study ends with a W&B Report."""
        return self.report == "wandb" and self.until == "report" and not self.preview and not self.dry_run

    @model_validator(mode="after")
    def _arms_are_known(self) -> "Config":
        if not self.evaluation.arms:
            raise ValueError("evaluation.arms: got []; name at least one arm")
        for name in self.evaluation.arms:
            if name not in self.arms:
                raise ValueError(f"evaluation.arms: got {name!r}; {suggest(name, self.arms)}")
            if not re.fullmatch(_FILE_NAME, name):
                raise ValueError(f"evaluation.arms: got {name!r}; an arm names files: letters, digits and . _ + - only")
        return self

    @model_validator(mode="after")
    def _a_learning_rate_follows_from_the_model(self) -> "Config":
        self.resolved_trainer()
        for name in self.trained_arms():
            try:
                self.resolved_trainer(name)
            except ValueError as error:
                raise ValueError(f"arms.{name}.{error}") from None
        return self

    @model_validator(mode="after")
    def _examples_come_from_the_raft_rows(self) -> "Config":
        for name in self.evaluation.arms:
            arm = self.arms[name]
            if arm.examples and self.dataset.path:
                raise ValueError(
                    f"arms.{name}.examples: got {arm.examples}, but the rows of dataset.path={self.dataset.path!r} are "
                    "ready chats; leave the arm out, or give 0"
                )
            if arm.examples and arm.cot and not self.dataset.cot:
                raise ValueError(
                    f"arms.{name}.examples: got {arm.examples} with cot: true, but dataset.cot=false has no reasoning "
                    "to show; give cot: false, or dataset.cot=true"
                )
        return self

    @model_validator(mode="after")
    def _supervised_tokens_are_those_of_another_arm(self) -> "Config":
        if other := self.trainer.supervised_tokens:
            raise ValueError(
                f"trainer.supervised_tokens: got {other!r}, but it is a setting of one arm; set "
                "+arms.NAME.trainer.supervised_tokens for it"
            )
        for name in self.trained_arms():
            place, other = f"arms.{name}.trainer", arm_trainer(self, name).supervised_tokens
            if other is None:
                continue
            known = [arm for arm in self.trained_arms() if not arm_trainer(self, arm).supervised_tokens]
            if other not in known:
                remedy = f"known: {', '.join(known)}" if known else "add one to it"
                raise ValueError(
                    f"{place}.supervised_tokens: got {other!r}, which is no arm of evaluation.arms with a training of "
                    f"its own length; {remedy}"
                )
            if lengths := [key for key in ("max_steps", "max_epochs") if key in self.arms[name].trainer]:
                raise ValueError(f"{place}.{lengths[0]}: decides nothing beside supervised_tokens; leave one out")
        return self

    @model_validator(mode="after")
    def _a_model_has_tasks(self) -> "Config":
        for task, shipped in (("targets", "cot_answer"), ("questions", "questions")):
            if is_model(self.teacher) and getattr(self.teacher, task) is None:
                raise ValueError(f"teacher.{task}: got None; name a task: task@teacher.{task}={shipped}")
        return self

    @model_validator(mode="after")
    def _quantized_weights_are_frozen(self) -> "Config":
        trained = self.trained_arms()
        if self.model.quantize and not all(arm_lora(self, name).r for name in trained):
            raise ValueError(
                f"model.quantize={self.model.quantize}: quantised weights cannot be trained; use an adapter "
                "(lora=default), or model.quantize=null"
            )
        if self.model.quantize and trained and self.trainer.strategy == "fsdp":
            raise ValueError(
                f"model.quantize={self.model.quantize}: trainer.strategy=fsdp cannot shard quantised weights; use "
                "trainer=gpu or trainer=ddp, or model.quantize=null"
            )
        return self

    @model_validator(mode="after")
    def _dora_is_an_adapter_that_engines_take(self) -> "Config":
        for lora in (self.lora, *(arm_lora(self, name) for name in self.trained_arms())):
            if lora.dora and not lora.r:
                raise ValueError("lora.dora: got True beside lora.r=0, which trains all weights; use lora=default")
        for name in self.trained_arms():
            engine = self.arms[name].engine or self.engine
            if arm_lora(self, name).dora and engine.name == "vllm" and engine.adapters == "lora":
                raise ValueError(
                    "lora.dora: got True, but engine=vllm has no DoRA adapters; use engine.adapters=merged"
                )
        return self

    def _check_validation_questions(self, setting: str, off: str) -> None:
        """Raises ValueError where a setting, which `off` turns off, cannot be chosen on validation questions."""
        if self.evaluation.split == "validation":
            raise ValueError(
                f"evaluation.split: got 'validation' beside {setting}, which is chosen on these questions; give test, "
                f"or {setting}={off}"
            )
        if not self.corpus.validation and self.corpus.name != "pubmedqa" and not getattr(self.corpus, "questions", ""):
            raise ValueError(
                f"corpus.validation: got {self.corpus.validation}, but {setting} is chosen on validation questions; "
                f"give a share, such as 0.05, or {setting}={off}"
            )

    @model_validator(mode="after")
    def _prompts_can_be_chosen(self) -> "Config":
        if self.evaluation.prompts == "auto" and self.untrained_arms():
            self._check_validation_questions("evaluation.prompts", "as_written")
            if not self.wordings:
                raise ValueError(
                    f"evaluation.wordings: got {self.evaluation.wordings}, but evaluation.prompts=auto chooses one; "
                    "name files of conf/prompt/wordings/, null for all, or evaluation.prompts=as_written"
                )
        return self

    @model_validator(mode="after")
    def _learning_rates_can_be_chosen(self) -> "Config":
        rates = self.selection.learning_rates
        if rates is None:
            return self
        if rates != "auto" and len(set(rates)) != max(len(rates), 2):
            raise ValueError(
                f"selection.learning_rates: got {rates}; give two or more different rates, auto, or null to choose none"
            )
        if not self.trained_arms():
            raise ValueError(
                f"selection.learning_rates: got {rates}, but no arm of evaluation.arms={self.evaluation.arms} is "
                "trained; name one that is, or give null"
            )
        self._check_validation_questions("selection.learning_rates", "null")
        return self

    @model_validator(mode="after")
    def _a_server_carries_no_adapter(self) -> "Config":
        for name in self.evaluation.arms:
            arm = self.arms[name]
            if (arm.engine or self.engine).name == "openai" and arm.needs_weights():
                raise ValueError(
                    f"arms.{name}: recipe={arm.recipe!r}, adapter={arm.adapter!r} cannot be answered by engine=openai, "
                    "a server's model; leave the arm out of evaluation.arms, or give it another engine"
                )
        return self


def parse(values: Mapping[str, object]) -> Config:
    """Builds the config from resolved YAML values. Raises ConfigError with field, value and valid values."""
    try:
        # as JSON: only there does pydantic's strict mode accept nested dicts as dataclasses
        config = TypeAdapter(Config).validate_json(json.dumps(values))
        for name, arm in config.arms.items():
            arm_dataset(config, name, arm)
            arm_trainer(config, name)
            arm_lora(config, name)
        for name in config.evaluation.conditions:
            condition(config, name)
        if config.selection.on or config.evaluation.prompts == "auto":
            validation(config)
        primary_of(config)
    except ValidationError as error:
        raise ConfigError("; ".join(_explained(error)[:3])) from None
    return config


def primary_of(config: Config) -> Primary:
    """Returns the study's primary metric and contrast. Raises ConfigError for names that the study does not have."""
    arms = {name: {"recipe": arm.recipe, "cot": arm.cot} for name, arm in _tested(config).items()}
    return resolve(config.evaluation.primary, arms, profile(config.corpus.name, config.evaluation.metrics).metrics)


def _tested(config: Config) -> dict[str, ArmConfig]:
    return {name: config.arms[name] for name in config.evaluation.arms}


def condition(config: Config, name: str) -> EvaluationConfig:
    """Returns the study's evaluation settings with the changes of a condition. Raises ConfigError for invalid ones."""
    if not re.fullmatch(_FILE_NAME, name):
        raise ConfigError(
            f"evaluation.conditions: got {name!r}; a condition names files: letters, digits and . _ + - only"
        )
    return _with_changes(config.evaluation, config.evaluation.conditions[name], f"evaluation.conditions.{name}")


def validation(config: Config) -> EvaluationConfig:
    """Returns the settings of the validation questions that a selection is made on. Raises ConfigError."""
    changed = _with_changes(config.evaluation, config.selection.changes, "selection.changes")
    # allow_fewer: as in the validation rows of training, whose pool may be small; the audit counts such contexts
    return replace(changed, split="validation", max_items=config.selection.max_items, allow_fewer=True)


def _with_changes(evaluation: EvaluationConfig, changes: dict[str, object], place: str) -> EvaluationConfig:
    allowed = ("context", *dict.fromkeys(key for keys in _EFFECTIVE.values() for key in keys))
    for key in changes:
        if key not in allowed:
            raise ConfigError(f"{place}: got {key!r}; {suggest(key, allowed)}")
    values = asdict(evaluation) | changes
    try:
        changed: EvaluationConfig = TypeAdapter(EvaluationConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"{place}: {_explained(error, ('evaluation',))[0]}") from None
    for key in changes:
        if key not in ("context", *_EFFECTIVE[changed.context]):
            raise ConfigError(
                f"{place}: got {key!r}, which changes nothing in context={changed.context}; "
                f"what does: {', '.join(_EFFECTIVE[changed.context])}"
            )
    return changed


# Settings that change the test set, by context.
_EFFECTIVE = {
    "gold_and_distractors": (
        "num_distractors",
        "distractors",
        "mixed",
        "same_document",
        "allow_fewer",
        "gold_at",
        "without_gold",
    ),
    "retrieved": ("k",),
    "given": ("gold_at", "without_gold"),
}


def arm_dataset(config: Config, name: str, arm: ArmConfig) -> DatasetConfig:
    """Returns the study's dataset settings with the changes of an arm. Raises ConfigError for invalid ones."""
    if arm.dataset and name in _RESERVED:
        raise ConfigError(f"arms.{name}.dataset: got {arm.dataset}; an arm that changes it needs a name of its own")
    if "prompt_mode" in arm.dataset:
        raise ConfigError(f"arms.{name}.dataset.prompt_mode: all arms of a study have one; set dataset.prompt_mode")
    if config.dataset.path and arm.dataset and "path" not in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, but the rows of dataset.path={config.dataset.path!r} are ready; "
            f"leave the arm out of evaluation.arms, or give it a file of its own: arms.{name}.dataset.path"
        )
    values = {field.name: getattr(config.dataset, field.name) for field in fields(DatasetConfig)} | arm.dataset
    try:
        dataset: DatasetConfig = TypeAdapter(DatasetConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{name}.{_explained(error, ('dataset',))[0]}") from None
    if arm.recipe == "raft" and arm.cot != dataset.cot:
        raise ConfigError(
            f"arms.{name}.cot: got {arm.cot}, but it is trained with dataset.cot={dataset.cot}; give both one value"
        )
    return dataset


def arm_trainer(config: Config, name: str) -> TrainerConfig:
    """Returns the study's trainer settings with the changes of an arm. Raises ConfigError for invalid ones."""
    arm = config.arms[name]
    for key in arm.trainer:
        if key in _SHARED:
            raise ConfigError(f"arms.{name}.trainer.{key}: all trainings of a study have one; set trainer.{key}")
    _check_owner(name, arm, "trainer", arm.trainer)
    return _changed(config.trainer, TrainerConfig, arm.trainer, name, "trainer")


def arm_lora(config: Config, name: str) -> LoraConfig:
    """Returns the study's adapter settings with the changes of an arm. Raises ConfigError for invalid ones."""
    _check_owner(name, config.arms[name], "lora", config.arms[name].lora)
    return _changed(config.lora, LoraConfig, config.arms[name].lora, name, "lora")


def _check_owner(name: str, arm: ArmConfig, group: str, changes: object) -> None:
    """Raises ConfigError for an arm without a training, and where its training would be named as another recipe's."""
    if changes and arm.recipe == "none":
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but an arm with recipe: none is not trained; leave it out"
        )
    if changes and name in ("raft", "closed_book") and name != arm.recipe:
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but the arm has the name of another recipe; give it another name"
        )


def _changed(settings: Settings, kind: type[Settings], changes: dict[str, object], arm: str, group: str) -> Settings:
    """The settings with an arm's changes."""
    if not changes:
        return settings
    values = {name.name: getattr(settings, name.name) for name in fields(kind)} | changes
    try:
        changed: Settings = TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{arm}.{_explained(error, (group,))[0]}") from None
    return changed


def conf_dir() -> Path:
    """Returns the folder of the YAML files: in the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())


RENAMED = {"trainer.launcher": "trainer.rank_launcher"}  # old name -> present name


def with_new_names(values: Mapping[str, object]) -> dict[str, object]:
    """Returns the resolved config of an older run with the present names of its renamed settings."""
    renamed = dict(values)
    for old, new in RENAMED.items():
        (group, old_name), new_name = old.split("."), new.rpartition(".")[2]
        settings = renamed.get(group)
        if isinstance(settings, dict) and old_name in settings:
            others = {name: value for name, value in settings.items() if name != old_name}
            renamed[group] = {new_name: settings[old_name], **others}
    return renamed


def unknown_key(path: str, option: object = "") -> str:
    """Returns the error message for a setting that does not exist, with the closest existing name.

    `option` is the `name` of its group's chosen option (corpus.name): the message lists the settings of that option.
    """
    if path in RENAMED:
        return f"{path}: is called {RENAMED[path]} now; set {RENAMED[path]}=..."
    *parents, name = path.split(".")
    kind: object = Config
    for number, parent in enumerate(parents):
        names = _names(kind)
        if parent not in names:
            return f"{path}: no such setting; {'.'.join(parents[: number + 1])} is unknown; {suggest(parent, names)}"
        kind = names[parent]
        if _takes_new_names(kind):
            return f"{path}: a new name in {'.'.join(parents[: number + 1])} needs a plus: +{path}=..."
    if _takes_new_names(_names(kind).get(name)):
        return f"{path}: a new name in it needs a plus: +{path}=..."
    known = [*_names(_member(kind, option)), *(() if parents else ("experiment", "debug"))]
    if name in _names(kind):  # a setting of another corpus, teacher, logger ...
        return f"{path}: not a setting of the chosen {parents[-1] if parents else name}; it belongs to another one"
    return f"{path}: no such setting; {suggest(name, known)}"


def _takes_new_names(kind: object) -> bool:
    """Whether a setting of this type is a mapping, whose names are the user's own."""
    return dict in (get_origin(kind), *(get_origin(inner) for inner in get_args(kind)))


def _explained(error: ValidationError, parents: tuple[str, ...] = ()) -> list[str]:
    """Returns one message for each field; the types that a union accepts are joined in one message."""
    problems: dict[str, str] = {}
    for problem in error.errors():
        place = _place((*parents, *problem["loc"]))
        known = problems.get(place)
        other = _constraint(problem).removeprefix("must be ")
        problems[place] = _explain(place, problem) if known is None else f"{known}, or {other}"
    return list(problems.values())


def _explain(place: str, problem: ErrorDetails) -> str:
    kind, got = problem["type"], problem.get("input")
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(place, problem["loc"][-2] if len(problem["loc"]) > 1 else "")
    if kind in ("missing", "missing_argument") or got == "???":
        return f"{place}: has no value; set {place}=..."
    if kind == "value_error":
        message, group = str(problem["ctx"]["error"]), problem["loc"][:1]
        shared = group and message.partition(":")[0] in ("base_url", "api_key_env")  # settings of several groups
        return f"{group[0]}.{message}" if shared else message
    if kind == "union_tag_invalid":
        return f"{place}.name: got {problem['ctx']['tag']!r}; must be one of {problem['ctx']['expected_tags']}"
    return f"{place}: got {got!r}; {_constraint(problem)}"


def _constraint(problem: ErrorDetails) -> str:
    """Rewrites pydantic's message as a constraint: `must be ...`."""
    message = re.sub(r"^(Input|String|List) should ", "must ", problem["msg"])
    message = message if message.startswith("must ") else f"must be {message}"
    return message.replace("instance of ", "").replace("'", '"')


def _place(location: tuple[int | str, ...]) -> str:
    """Returns `dataset.p` for pydantic's location, without the names of union members that the location contains."""
    kind: object = Config
    parts: list[str] = []
    for number, part in enumerate(location):
        names = _names(kind)
        if get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        elif part in names:
            kind = names[str(part)]
        elif not names and parts:
            break  # a plain value: the rest of the location names a member of a union of types
        elif number + 1 < len(location):
            continue  # the name of a member of a union of configs
        parts.append(str(part))
    return ".".join(parts)


def _member(kind: object, option: object) -> object:
    """Returns the dataclass of a union whose `name` is `option`; the union itself where there is none."""
    members = get_args(get_args(kind)[0]) if hasattr(kind, "__metadata__") else get_args(kind)
    return next((member for member in members if option in get_args(_names(member).get("name"))), kind)


def _names(kind: object) -> Mapping[str, object]:
    """Returns field name -> type, over all members of a union of dataclasses."""
    if is_dataclass(kind):
        return dict(get_type_hints(kind))
    if get_args(kind):
        members = [get_args(kind)[0]] if hasattr(kind, "__metadata__") else get_args(kind)
        return {name: hint for member in members for name, hint in _names(member).items()}
    return {}
