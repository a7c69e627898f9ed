"""The objectives of a search (metrics in results.json), and the table of the search's trials."""

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from raft_exp.apps.sweep.search import Direction, SearchConfig, Trial
from raft_exp.core.bounds import remedy
from raft_exp.core.errors import ConfigError
from raft_exp.core.stage import Stage
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.scoring import REPLY_SHARES
from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.build import build
from raft_exp.pipeline.config import Config, primary_of, profile_of
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import open_store
from raft_exp.pipeline.transfer_files import with_transfer_files
from raft_exp.pipeline.wordings import with_wording_files

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig
    from rich.table import Table

T = TypeVar("T")
_NAME = "hydra.sweeper.objective"


def parsed(kind: type[T], values: Mapping[str, object]) -> T:
    """Parses the settings of a sweeper into the dataclass `kind`. Raises ConfigError for an invalid value."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(OmegaConf.create(dict(values)), resolve=True)
    try:
        return TypeAdapter(kind).validate_json(json.dumps(plain))
    except ValidationError as error:
        problem = error.errors()[0]
        valid = problem["msg"].replace("Input should be ", "").replace("'", '"')
        name = f"hydra.sweeper.{problem['loc'][0]}"
        message = f"{name}: got {problem['input']!r}; must be {valid}{remedy(name, problem)}"
        raise ConfigError(message) from None


def study(context: "HydraContext", config: "DictConfig", overrides: Sequence[str]) -> Config:
    """Composes and parses the configuration of one study of a sweep."""
    from omegaconf import OmegaConf

    composed = context.config_loader.load_sweep_config(config, list(overrides))
    sources = [Path(source.path) for source in config.hydra.runtime.config_sources if source.schema == "file"]
    values = OmegaConf.to_container(OmegaConf.masked_copy(composed, [name for name in composed if name != "hydra"]))
    values = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    assert isinstance(values, dict)
    named = with_arm_files({str(name): value for name, value in values.items()}, sources)
    return parse(with_transfer_files(with_wording_files(named, sources), sources))


def check_validation(config: Config) -> None:
    """Raises ConfigError if the study has no validation questions, by which a search compares its trials.

    Makes the passages and questions of the study in its store, and the trials reuse them. Questions that a teacher
    model writes are neither made nor checked here.
    """
    store = open_store(config.store, config.local_store)
    stages = {stage.label: stage for stage in build(config, Fingerprints(store, save=False))}
    ingest, questions = stages["ingest"], stages["questions"]
    if questions.process:
        return
    store.ensure(ingest, store.call)
    if not store.ensure(questions, store.call).counts.get("validation"):
        raise ConfigError(
            "sweep: got 'optuna', which compares trials on validation questions, but the corpus has none; set "
            "corpus.validation=0.1, or mark validation questions in the file of questions"
        )


@dataclass(frozen=True)
class Goal:
    """The objectives of a search, each with its direction."""

    names: list[str]
    directions: list[Direction]
    trained: str  # label of the training stage of the first objective's arm; "" for an arm without training

    @staticmethod
    def of(search: SearchConfig, config: Config) -> "Goal":
        """Returns the goal of a search over studies like `config`.

        Raises ConfigError for an invalid objective, direction or pruning, and for studies that end without results.
        """
        objectives = [search.objective] if isinstance(search.objective, str) else search.objective
        primary = primary_of(config)
        names = objectives or [f"arms.{primary['arm']}.{primary['metric']}"]
        directions = search.direction if isinstance(search.direction, list) else [search.direction] * len(names)
        if len(directions) != len(names):
            raise ConfigError(
                f"hydra.sweeper.direction: got {len(directions)} for {len(names)} objectives; give one direction, "
                "or one for each objective"
            )
        if search.pruning != "none" and len(names) > 1:
            raise ConfigError(
                f"hydra.sweeper.pruning: got {search.pruning!r} with {len(names)} objectives; pruning needs exactly "
                "one: give one objective, or pruning=none"
            )
        for name in ("until", "dry_run", "preview"):
            if (got := getattr(config, name)) not in ("report", False, 0):
                raise ConfigError(f"{name}: got {got!r}, but a search needs the results of each trial; remove {name}")
        for name in names:
            _check(name, config)
        return Goal(names, directions, _trained(names[0], config))

    def as_dict(self) -> dict[str, object]:
        """Returns objectives and directions as JSON values, to compare the goals of two searches."""
        return {"objectives": self.names, "directions": self.directions}

    def values(self, run: Path) -> list[float]:
        """Returns the value of each objective in a finished run. Raises ConfigError if its results lack one."""
        results: Results = json.loads((run / "results.json").read_text(encoding="utf-8"))
        return [_value(results, name) for name in self.names]


def _check(name: str, config: Config) -> None:
    """Raises ConfigError for an objective that is not among the results of a study. Called before the first trial."""
    kind, *parts = name.split(".")
    if kind == "conditions" and parts:
        _check_part(name, parts.pop(0), config.evaluation.conditions)
    if kind not in ("arms", "conditions") or len(parts) != 2:
        raise ConfigError(f"{_NAME}: got {name!r}; must be arms.ARM.METRIC or conditions.CONDITION.ARM.METRIC")
    _check_part(name, parts[0], config.evaluation.arms)
    _check_part(name, parts[1], (*_metrics(config), *REPLY_SHARES))


def _metrics(config: Config) -> tuple[str, ...]:
    return profile_of(config).metrics


def _check_part(name: str, part: str, known: Collection[str]) -> None:
    if part in known:
        return
    closest = difflib.get_close_matches(part, list(known), n=1, cutoff=0.5)
    hint = f"did you mean {closest[0]!r}? " if closest else ""
    raise ConfigError(f"{_NAME}: got {name!r}; {part!r} is unknown here; {hint}(known: {', '.join(known)})")


def _value(results: Results, name: str) -> float:
    *path, arm, metric = name.split(".")
    arms = results["conditions"].get(path[1], {}) if path[0] == "conditions" else results["arms"]
    if arm not in arms or metric not in arms[arm]["metrics"]:
        known = ", ".join(arms[arm]["metrics"] if arm in arms else arms)
        raise ConfigError(f"{_NAME}: got {name!r}, which is not in results.json; known: {known}")
    return arms[arm]["metrics"][metric]["value"]


def _trained(name: str, config: Config) -> str:
    arm = name.split(".")[-2]
    stages = {stage.label: stage for stage in build(config, lambda files: {})}
    adapter = stages[f"evaluate[{arm}]"].inputs.get("adapter")
    return adapter.label if isinstance(adapter, Stage) else ""


def table(trials: Sequence[Trial], best: Sequence[Trial], goal: Goal) -> "Table":
    """Returns a table with one row per trial. The sign * marks the best trials."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    settings = dict.fromkeys(name for trial in trials for name in trial.point)
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("", "trial", *settings, *goal.names, "status"):
        rows.add_column(Text(title))
    marked = {trial.number for trial in best}
    for trial in trials:
        figures = [f"{value:.4g}" for value in trial.values] or [""] * len(goal.names)
        status = f"{trial.state}: {trial.note}" if trial.note else trial.state
        mark = "*" if trial.number in marked else ""
        cells = (mark, str(trial.number), *(_short(trial.point[name]) for name in settings), *figures, status)
        rows.add_row(*map(Text, cells))
    return rows


def _short(value: str) -> str:
    """Rounds a number with more than eight characters to four significant digits. Returns other text unchanged."""
    try:
        return value if len(value) <= 8 else f"{float(value):.4g}"
    except ValueError:
        return value
