"""What a search is for: metrics of results.json by name, and how its trials are shown."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from raft_exp.apps.sweep.search import Direction, SearchConfig, Trial
from raft_exp.core.errors import ConfigError
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import REPLY_SHARES, reference_arm
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.config import Config, parse

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")
_NAME = "hydra.sweeper.objective"


def parsed(kind: type[T], values: Mapping[str, Any]) -> T:
    """The settings of a sweeper. Raises ConfigError: field, value, what is allowed."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(OmegaConf.create(dict(values)), resolve=True)
    try:
        return TypeAdapter(kind).validate_json(json.dumps(plain))
    except ValidationError as error:
        problem = error.errors()[0]
        wanted = problem["msg"].replace("Input should be ", "").replace("'", '"')
        raise ConfigError(f"hydra.sweeper.{problem['loc'][0]}: got {problem['input']!r}; must be {wanted}") from None


def study(context: Any, config: Any, overrides: Sequence[str]) -> Config:
    """The configuration of one study of a sweep."""
    from omegaconf import OmegaConf

    composed = context.config_loader.load_sweep_config(config, list(overrides))
    sources = [Path(one.path) for one in config.hydra.runtime.config_sources if one.schema == "file"]
    values = OmegaConf.to_container(OmegaConf.masked_copy(composed, [name for name in composed if name != "hydra"]))
    values = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    assert isinstance(values, dict)
    return parse(with_arm_files({str(name): value for name, value in values.items()}, sources))


@dataclass(frozen=True)
class Goal:
    """The objectives, each with its direction."""

    names: list[str]
    directions: list[Direction]
    trained: str  # the training stage of the first objective's arm; "" where nothing is trained for it

    @staticmethod
    def of(search: SearchConfig, config: Config) -> "Goal":
        """The goal of a search over studies like `config`. Raises ConfigError for what such studies cannot report."""
        given = [search.objective] if isinstance(search.objective, str) else search.objective
        shown = {name: {"recipe": config.arms[name].recipe} for name in config.evaluation.arms}
        names = given or [f"arms.{reference_arm(shown)}.{_metrics(config)[0]}"]
        directions = search.direction if isinstance(search.direction, list) else [search.direction] * len(names)
        if len(directions) != len(names):
            raise ConfigError(
                f"hydra.sweeper.direction: got {len(directions)} for {len(names)} objectives; give one, or one for each"
            )
        if search.pruning != "none" and len(names) > 1:
            raise ConfigError(
                f"hydra.sweeper.pruning: got {search.pruning!r} with {len(names)} objectives; pruning knows one: give "
                "one objective, or pruning=none"
            )
        for name in ("until", "dry_run", "preview"):
            if (got := getattr(config, name)) not in ("report", False, 0):
                raise ConfigError(f"{name}: got {got!r}, which makes no results to choose by; leave it out")
        for name in names:
            _check(name, config)
        return Goal(names, directions, _trained(names[0], config))

    def as_dict(self) -> dict[str, Any]:
        """What makes it another goal."""
        return {"objectives": self.names, "directions": self.directions}

    def values(self, run: Path) -> list[float]:
        """What a finished run has of each objective."""
        results = json.loads((run / "results.json").read_text(encoding="utf-8"))
        return [_value(results, name) for name in self.names]


def _check(name: str, config: Config) -> None:
    """Refuses before the first trial what would fail after it."""
    kind, *parts = name.split(".")
    if kind == "conditions" and parts:
        _known(name, parts.pop(0), config.evaluation.conditions)
    if kind not in ("arms", "conditions") or len(parts) != 2:
        raise ConfigError(f"{_NAME}: got {name!r}; must be arms.ARM.METRIC or conditions.CONDITION.ARM.METRIC")
    _known(name, parts[0], config.evaluation.arms)
    _known(name, parts[1], (*_metrics(config), *REPLY_SHARES))


def _metrics(config: Config) -> tuple[str, ...]:
    return profile(config.corpus.name, config.evaluation.metrics).metrics


def _known(name: str, part: str, known: Any) -> None:
    if part in known:
        return
    near = difflib.get_close_matches(part, list(known), n=1, cutoff=0.5)
    nearest = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"{_NAME}: got {name!r}; {part!r} is unknown here; {nearest}(known: {', '.join(known)})")


def _value(results: Any, name: str) -> float:
    *path, metric = name.split(".")
    found = results
    try:
        for part in path:
            found = found[part]
        return float(found["metrics"][metric]["value"])
    except (KeyError, TypeError):
        raise ConfigError(f"{_NAME}: got {name!r}, which results.json does not hold; known there: {found}") from None


def _trained(name: str, config: Config) -> str:
    arm = name.split(".")[-2]
    stages = {stage.label: stage for stage in pipeline.build(config, lambda files: {})}
    adapter = stages[f"evaluate[{arm}]"].inputs.get("adapter")
    return str(adapter.label) if adapter else ""  # type: ignore[union-attr]


def table(trials: Sequence[Trial], best: Sequence[Trial], goal: Goal) -> "Table":
    """One row a trial; * marks the best."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    settings = dict.fromkeys(name for trial in trials for name in trial.point)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("", "trial", *settings, *goal.names, "status"):
        shown.add_column(Text(title))
    marked = {trial.number for trial in best}
    for trial in trials:
        figures = [f"{value:.4g}" for value in trial.values] or [""] * len(goal.names)
        status = f"{trial.state}: {trial.note}" if trial.note else trial.state
        mark = "*" if trial.number in marked else ""
        cells = (mark, str(trial.number), *(_short(trial.point[name]) for name in settings), *figures, status)
        shown.add_row(*map(Text, cells))
    return shown


def _short(value: str) -> str:
    """A number in four digits; anything else as it is."""
    try:
        return value if len(value) <= 8 else f"{float(value):.4g}"
    except ValueError:
        return value
