"""The values of settings that a sweep tries. They are read from overrides in Hydra's syntax."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.errors import HydraException

from raft_exp.core.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

_STUDIES = "+experiment"


def with_params(arguments: Sequence[str], params: Mapping[str, str] | None) -> list[str]:
    """Joins an experiment's `hydra.sweeper.params` with the overrides of the command line, which take precedence.

    An experiment `x` can run on several studies: then its params have `+experiment: [a,x],[b,x]`, which replaces the
    override `+experiment=x`. An override that names another study, `+experiment=[c,x]`, is not replaced.
    """
    params = dict(params or {})
    alone = [word for word in arguments if word.startswith(f"{_STUDIES}=") and not word.startswith(f"{_STUDIES}=[")]
    studies = params.pop(_STUDIES, None)
    if studies and alone:
        arguments = [f"{_STUDIES}={studies}", *(word for word in arguments if word not in alone)]
    # the experiment varies slowest, so that the jobs of one study follow each other
    first = [word for word in arguments if word.startswith(_STUDIES)]
    return [
        *first,
        *(f"{name}={value}" for name, value in params.items()),
        *(word for word in arguments if word not in first),
    ]


@dataclass(frozen=True)
class Choices:
    """A finite set of values. Each value is written as in an override."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`. `whole`: integers only. `log`: on a logarithmic scale."""

    low: float
    high: float
    whole: bool
    log: bool


Space = dict[str, Choices | Interval]  # name of a setting, as in an override -> the values to try


def split(overrides: "Sequence[Override]") -> tuple[list[str], Space]:
    """Splits Hydra's parsed overrides. Returns the overrides with one value, and the search space of all others.

    `a=1,2`, `choice(1,2)` and `range(1,9,2)` become Choices. `interval(0,1)`, `tag(log,interval(1e-5,1e-3))` and
    `int(interval(1,64))` become an Interval. Raises ConfigError for an empty set or an invalid interval.
    """
    fixed: dict[str, str] = {}
    searched: Space = {}
    for override in overrides:
        name = override.get_key_element()
        if not override.is_sweep_override():
            fixed[name] = override.input_line
            searched.pop(name, None)  # the command line takes precedence
        else:
            searched[name] = _part(name, override)
            fixed.pop(name, None)
    return list(fixed.values()), searched


def _part(name: str, override: "Override") -> Choices | Interval:
    if override.is_interval_sweep():
        interval = override.value()
        whole = isinstance(interval.start, int) and isinstance(interval.end, int)
        log = "log" in interval.tags
        if not interval.start < interval.end or (log and interval.start <= 0):
            above = ", and both above 0" if log else ""
            raise ConfigError(
                f"{name}: got {override.input_line!r}; the first number must be less than the second{above}"
            )
        return Interval(interval.start, interval.end, whole, log)
    try:
        values = tuple(dict.fromkeys(override.sweep_string_iterator()))
    except HydraException as error:
        raise ConfigError(f"{name}: got {override.input_line!r}; {' '.join(str(error).split())}") from None
    if not values:
        raise ConfigError(f"{name}: got {override.input_line!r}, which has no values; give at least one")
    return Choices(values)


def grid(space: Space) -> Iterator[dict[str, str]]:
    """Yields all points of a space in which each setting is a Choices; yields nothing if a setting is an Interval."""
    parts = [part.values if isinstance(part, Choices) else () for part in space.values()]
    for values in itertools.product(*parts):
        yield dict(zip(space, values, strict=True))


def size(space: Space) -> int | None:
    """Returns the number of points in the space; None if a setting is an Interval."""
    if any(isinstance(part, Interval) for part in space.values()):
        return None
    return math.prod(len(part.values) for part in space.values() if isinstance(part, Choices))
