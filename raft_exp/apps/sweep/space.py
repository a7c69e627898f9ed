"""What is varied, from overrides in Hydra's own syntax."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException

from raft_exp.core.errors import ConfigError

_STUDIES = "+experiment"


def with_params(arguments: Sequence[str], params: Mapping[str, str] | None) -> list[str]:
    """What an experiment sweeps by itself (`hydra.sweeper.params`), then the command line, which has the last word.

    An experiment that is an ablation can name the studies that it is meant for: params `+experiment: [a,this],[b,this]`
    take the place of `+experiment=this`. Named together with a study, `+experiment=[c,this]`, it runs on that one.
    """
    params = dict(params or {})
    alone = [one for one in arguments if one.startswith(f"{_STUDIES}=") and not one.startswith(f"{_STUDIES}=[")]
    studies = params.pop(_STUDIES, None)
    if studies and alone:
        arguments = [f"{_STUDIES}={studies}", *(one for one in arguments if one not in alone)]
    # the experiment first, so that one study is finished before the next begins
    first = [one for one in arguments if one.startswith(_STUDIES)]
    return [
        *first,
        *(f"{name}={value}" for name, value in params.items()),
        *(one for one in arguments if one not in first),
    ]


@dataclass(frozen=True)
class Choices:
    """One of some values, each as it stands in an override."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """Any number between two, whole ones where `whole`."""

    low: float
    high: float
    whole: bool
    log: bool


Space = dict[str, Choices | Interval]  # setting, as an override names it -> what is tried


def split(overrides: Sequence[Any]) -> tuple[list[str], Space]:
    """Hydra's parsed overrides -> those that stand for all trials, and the space of the others.

    `a=1,2`, `choice(1,2)`, `range(1,9,2)`: one of these. `interval(0,1)`, `tag(log,interval(1e-5,1e-3))`,
    `int(interval(1,64))`: any number between. Raises ConfigError for what cannot be searched.
    """
    fixed: dict[str, str] = {}
    searched: Space = {}
    for override in overrides:
        name = override.get_key_element()
        if not override.is_sweep_override():
            fixed[name] = override.input_line
            searched.pop(name, None)  # the command line has the last word
        else:
            searched[name] = _part(name, override)
            fixed.pop(name, None)
    return list(fixed.values()), searched


def _part(name: str, override: Any) -> Choices | Interval:
    if override.is_interval_sweep():
        between = override.value()
        whole = isinstance(between.start, int) and isinstance(between.end, int)
        log = "log" in between.tags
        if not between.start < between.end or (log and between.start <= 0):
            above = ", both above 0," if log else ""
            raise ConfigError(f"{name}: got {override.input_line!r}; an interval goes from less{above} to more")
        return Interval(between.start, between.end, whole, log)
    try:
        values = tuple(dict.fromkeys(override.sweep_string_iterator()))
    except HydraException as error:
        raise ConfigError(f"{name}: got {override.input_line!r}; {' '.join(str(error).split())}") from None
    if not values:
        raise ConfigError(f"{name}: got {override.input_line!r}, which has no values")
    return Choices(values)


def grid(space: Space) -> Iterator[dict[str, str]]:
    """Every point of a space of choices, the last setting fastest. Empty where a setting has no end of values."""
    parts = [part.values if isinstance(part, Choices) else () for part in space.values()]
    for values in itertools.product(*parts):
        yield dict(zip(space, values, strict=True))


def size(space: Space) -> int | None:
    """How many points there are; None for no end of them."""
    if any(isinstance(part, Interval) for part in space.values()):
        return None
    return math.prod(len(part.values) for part in space.values() if isinstance(part, Choices))
