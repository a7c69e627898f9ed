"""The whole configuration as typed dataclasses, and `parse`: the only way from YAML to them.

Each group's dataclass stands beside the code that it drives. YAML under conf/ holds every value; the dataclasses say
which values can be.
"""

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, TypeAdapter, ValidationError, model_validator

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import Count, Positive, Runtime, Seed, config_dataclass
from raft_exp.core.stage import StageName
from raft_exp.corpora import CorpusConfig
from raft_exp.dataset.stage import DatasetConfig
from raft_exp.engines import EngineConfig
from raft_exp.evaluation.metrics import METRICS
from raft_exp.exports import ExportConfig
from raft_exp.models.encoder import EncoderConfig
from raft_exp.models.loading import ModelConfig
from raft_exp.prompts import PromptConfig
from raft_exp.reporting.wandb.config import LoggerConfig
from raft_exp.retrieval import Distractors, RetrieverConfig, Shares, check_shares
from raft_exp.teachers import TeacherConfig
from raft_exp.teachers.model import is_model
from raft_exp.training.config import LoraConfig, TrainerConfig

_FILE_NAME = r"[\w.+-]+"
_TAKEN = ("raft", "closed_book", "test")  # names of datasets that no arm can give to its own


@config_dataclass
class ArmConfig:
    """What is compared: a recipe for training and a context at test."""

    recipe: Literal["none", "closed_book", "raft"]
    context: Literal["none", "passages"]
    cot: bool  # asks for reasoning before the answer
    adapter: str | None  # a ready adapter folder instead of training one
    dataset: dict[str, Any]  # what this arm's training set changes in `dataset`, e.g. {cot: false}
    engine: EngineConfig | None = None  # null: the study's; arms of one's own may leave it out

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

    def needs_weights(self) -> bool:
        """Whether a model behind a server cannot be this arm."""
        return self.recipe != "none" or self.adapter is not None


@config_dataclass
class EvaluationConfig:
    """Which arms answer which questions in which context."""

    arms: list[str]
    split: Literal["test", "validation"]
    context: Literal["gold_and_distractors", "retrieved", "given"]
    num_distractors: Count
    distractors: Distractors
    mixed: Shares | None  # with distractors=mixed: the share of each source
    same_document: bool
    allow_fewer: bool
    k: Positive | None  # passages in a retrieved context; null: retriever.k
    gold_at: Count | None  # where the gold passages begin, counted from 0; null: by chance, or as published
    without_gold: bool  # the gold passages are taken away; the answer is nowhere in what is shown
    max_items: Positive | None
    metrics: list[str]  # reported beside the corpus's own
    # name -> what it changes here: {num_distractors: 0}; arms with passages only; null, as an override: none of them
    conditions: Annotated[dict[str, dict[str, Any]], BeforeValidator(lambda given: {} if given is None else given)]

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
    def _retrieved_has_its_own_order(self) -> "EvaluationConfig":
        if self.gold_at is not None and self.context == "retrieved":
            raise ValueError(
                f"evaluation.gold_at: got {self.gold_at}, but evaluation.context=retrieved has the retriever's "
                "order; give null, or another context"
            )
        return self

    @model_validator(mode="after")
    def _gold_that_can_be_taken_away(self) -> "EvaluationConfig":
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

    study: str  # names the study in the report and groups its runs in W&B; those of a sweep have its folder's name
    note: str  # what a reader of the report should know before the figures; "" for nothing
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
    report: Runtime[Literal["html", "wandb"]] = "html"  # runs from before this setting stay readable

    def makes_wandb_page(self) -> bool:
        """Whether the study is to end with a W&B Report."""
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
    def _a_model_has_tasks(self) -> "Config":
        for task, shipped in (("targets", "cot_answer"), ("questions", "questions")):
            if is_model(self.teacher) and getattr(self.teacher, task) is None:
                raise ValueError(f"teacher.{task}: got None; name a task: task@teacher.{task}={shipped}")
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


def parse(values: dict[str, Any]) -> Config:
    """Builds the config from resolved YAML values. Raises ConfigError: field, value, what is allowed."""
    try:
        # as JSON: pydantic's strict mode takes nested dicts for dataclasses only there
        config = TypeAdapter(Config).validate_json(json.dumps(values))
        for name, arm in config.arms.items():
            arm_dataset(config, name, arm)
        for name in config.evaluation.conditions:
            condition(config, name)
    except ValidationError as error:
        raise ConfigError("; ".join(_explained(error)[:3])) from None
    return config


def condition(config: Config, name: str) -> EvaluationConfig:
    """The evaluation under a condition: the study's, with the condition's changes."""
    changes = config.evaluation.conditions[name]
    allowed = ("context", *dict.fromkeys(key for keys in _EFFECTIVE.values() for key in keys))
    for key in changes:
        if key not in allowed:
            raise ConfigError(f"evaluation.conditions.{name}: got {key!r}; {suggest(key, allowed)}")
    if not re.fullmatch(_FILE_NAME, name):
        raise ConfigError(
            f"evaluation.conditions: got {name!r}; a condition names files: letters, digits and . _ + - only"
        )
    values = {field.name: getattr(config.evaluation, field.name) for field in fields(EvaluationConfig)} | changes
    try:
        made: EvaluationConfig = TypeAdapter(EvaluationConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"evaluation.conditions.{name}: {_explained(error, ('evaluation',))[0]}") from None
    for key in changes:
        if key not in ("context", *_EFFECTIVE[made.context]):
            raise ConfigError(
                f"evaluation.conditions.{name}: got {key!r}, which changes nothing in context={made.context}; "
                f"what does: {', '.join(_EFFECTIVE[made.context])}"
            )
    return made


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
    """The arm's own dataset settings: the study's, with the arm's changes."""
    if arm.dataset and name in _TAKEN:
        raise ConfigError(f"arms.{name}.dataset: got {arm.dataset}; an arm that changes it needs a name of its own")
    if "prompt_mode" in arm.dataset:
        raise ConfigError(f"arms.{name}.dataset.prompt_mode: all arms of a study have one; set dataset.prompt_mode")
    if config.dataset.path and arm.dataset and "path" not in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, but the rows of dataset.path={config.dataset.path!r} are ready; "
            f"leave the arm out, or give it a file of its own: arms.{name}.dataset.path"
        )
    values = {field.name: getattr(config.dataset, field.name) for field in fields(DatasetConfig)} | arm.dataset
    try:
        made: DatasetConfig = TypeAdapter(DatasetConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{name}.{_explained(error, ('dataset',))[0]}") from None
    if arm.recipe == "raft" and arm.cot != made.cot:
        raise ConfigError(
            f"arms.{name}.cot: got {arm.cot}, but it is trained with dataset.cot={made.cot}; give both one value"
        )
    return made


def conf_dir() -> Path:
    """The folder of YAML files: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())


RENAMED = {"trainer.launcher": "trainer.rank_launcher"}  # old setting -> today's


def with_new_names(values: dict[str, Any]) -> dict[str, Any]:
    """The resolved config of an older run, with its renamed settings under today's names."""
    for old, new in RENAMED.items():
        (group, old_name), new_name = old.split("."), new.rpartition(".")[2]
        if old_name in values.get(group, {}):
            others = {name: value for name, value in values[group].items() if name != old_name}
            values = {**values, group: {new_name: values[group][old_name], **others}}
    return values


def unknown_key(path: str) -> str:
    """The message for a setting that does not exist, with the nearest that does."""
    if path in RENAMED:
        return f"{path}: is called {RENAMED[path]} now; set {RENAMED[path]}=..."
    *parents, name = path.split(".")
    kind: Any = Config
    for number, parent in enumerate(parents):
        names = _names(kind)
        if parent not in names:
            return f"{path}: no such setting; {'.'.join(parents[: number + 1])} is unknown; {suggest(parent, names)}"
        kind = names[parent]
    if get_origin(_names(kind).get(name)) is dict:
        return f"{path}: new names in it are given with a plus: +{path}=..."
    known = [*_names(kind), *(() if parents else ("experiment", "debug"))]
    if name in _names(kind):  # of another member of a union: another corpus, another logger
        return f"{path}: not a setting of the chosen {parents[-1] if parents else name}; it belongs to another one"
    return f"{path}: no such setting; {suggest(name, known)}"


def _explained(error: ValidationError, parents: tuple[str, ...] = ()) -> list[str]:
    """One message a field; what the members of a union of types would take stands in one line."""
    problems: dict[str, str] = {}
    for problem in error.errors():
        place = _place((*parents, *problem["loc"]))
        known = problems.get(place)
        other = _wanted(problem).removeprefix("must be ")
        problems[place] = _explain(place, problem) if known is None else f"{known}, or {other}"
    return list(problems.values())


def _explain(place: str, problem: Any) -> str:
    kind, got = problem["type"], problem.get("input")
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(place)
    if kind in ("missing", "missing_argument") or got == "???":
        return f"{place}: has no value; set {place}=..."
    if kind == "value_error":
        said, group = str(problem["ctx"]["error"]), problem["loc"][:1]
        shared = group and said.partition(":")[0] in ("base_url", "api_key_env")  # of every group that asks a server
        return f"{group[0]}.{said}" if shared else said
    if kind == "union_tag_invalid":
        return f"{place}.name: got {problem['ctx']['tag']!r}; must be one of {problem['ctx']['expected_tags']}"
    return f"{place}: got {got!r}; {_wanted(problem)}"


def _wanted(problem: Any) -> str:
    """pydantic's own words, as what must be."""
    told = re.sub(r"^(Input|String|List) should ", "must ", str(problem["msg"]))
    told = told if told.startswith("must ") else f"must be {told}"
    return told.replace("instance of ", "").replace("'", '"')


def _place(location: tuple[Any, ...]) -> str:
    """`dataset.p` out of pydantic's location, without the names of union members that it puts in between."""
    kind: Any = Config
    parts: list[str] = []
    for number, part in enumerate(location):
        names = _names(kind)
        if get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        elif part in names:
            kind = names[part]
        elif not names and parts:
            break  # a plain value: what follows names the member of a union of types
        elif number + 1 < len(location):
            continue  # the chosen member of a union of configs
        parts.append(str(part))
    return ".".join(parts)


def _names(kind: Any) -> dict[str, Any]:
    """Field name -> type, over all members of a union of dataclasses."""
    if is_dataclass(kind):
        return get_type_hints(kind)
    if get_args(kind):
        members = [get_args(kind)[0]] if hasattr(kind, "__metadata__") else get_args(kind)
        return {name: hint for member in members for name, hint in _names(member).items()}
    return {}
