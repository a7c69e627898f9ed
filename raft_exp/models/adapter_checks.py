"""Checks an adapter_config.json before PEFT or vLLM reads it: its values, and the time that its patterns need."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from raft_exp.core import limited
from raft_exp.core.errors import ModelError
from raft_exp.models import pattern_child
from raft_exp.models.folder_checks import check_values, read_object
from raft_exp.models.pattern_child import Patterns

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
SECONDS = 5  # limit of the CPU time for all patterns and names; usual adapters need a few milliseconds
_MOST_RANK = 16_384
# Usual module names. Patterns are matched with these names and with the module names in the adapter's weights.
_USUAL = [
    f"model.layers.{layer}.{part}"
    for layer in (0, 10)
    for part in ("self_attn.q_proj", "self_attn.rotary_emb", "mlp.down_proj", "input_layernorm")
]


def check_adapter(folder: Path, modules: Iterable[str] = ()) -> None:
    """Raises ModelError for an adapter_config.json that is damaged, has impossible values, or has unusable patterns.

    Patterns are regular expressions for module names; an invalid or very slow one is unusable. `modules`: the module
    names to match them with; by default the names in the adapter's weights, and usual names.
    """
    named = f"adapter={folder}"
    values = read_object(folder / CONFIG, named)
    check_values(values, named, CONFIG)
    for name in ("r", "rank_pattern"):
        for rank in _items(values.get(name)):
            if rank is not None and (type(rank) is not int or not 1 <= rank <= _MOST_RANK):
                raise ModelError(
                    f"{named}: {CONFIG} has {name}={rank!r:.40}; must be a whole number from 1 to {_MOST_RANK:,}; "
                    "repair the file"
                )
    for name in ("lora_alpha", "alpha_pattern"):
        for scale in _items(values.get(name)):
            if scale is not None and not _is_finite(scale):
                raise ModelError(f"{named}: {CONFIG} has {name}={scale!r:.40}; must be a number; repair the file")
    if patterns := list(dict.fromkeys(_patterns(values))):
        _check_patterns(named, patterns, list(modules) or [*_weight_names(folder / WEIGHTS), *_USUAL])


def _is_finite(scale: object) -> bool:
    return isinstance(scale, int | float) and not isinstance(scale, bool) and math.isfinite(scale)


def _items(field: object) -> list[object]:
    """Returns the values of a field: all values of an object (pattern -> value), or a list with the single value."""
    return list(field.values()) if isinstance(field, Mapping) else [field]


def _patterns(values: Mapping[str, object]) -> Iterator[str]:
    """Yields the regular expressions of an adapter_config.json.

    In a field of module names, a text is a regular expression, and a list holds plain names (in layers_pattern: regular
    expressions). The keys of rank_pattern and alpha_pattern are regular expressions too.
    """
    for name in ("target_modules", "exclude_modules", "layers_pattern", "target_parameters", "modules_to_save"):
        field = values.get(name)
        if isinstance(field, str) and field != "all-linear":
            yield field
        if name == "layers_pattern" and isinstance(field, list):
            yield from map(str, field)
    for name in ("rank_pattern", "alpha_pattern"):
        field = values.get(name)
        if isinstance(field, Mapping):
            yield from map(str, field)


def _check_patterns(named: str, patterns: list[str], names: list[str]) -> None:
    data: Patterns = {"patterns": patterns, "names": names}
    try:
        fault = limited.ask(pattern_child.__name__, data, SECONDS)
    except limited.LimitError as error:
        fault = f"has patterns for module names whose matching needs {error}"
    else:
        fault = fault and f"has an invalid pattern for module names: {fault}"
    if fault:
        raise ModelError(f"{named}: {CONFIG} {fault}; replace the pattern by a list of module names")


def _weight_names(file: Path) -> list[str]:
    """Returns the names of the adapted modules from the header of the adapter's weights; [] if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as weights:
            names = [name.removeprefix("base_model.model.").rpartition(".lora_")[0] for name in weights.keys()]  # noqa: SIM118
    except (OSError, SafetensorError):
        return []  # the function that loads the weights gives the reason
    return list(dict.fromkeys(filter(None, names)))
