"""Checks the size and the values of the JSON files in a model folder before a library reads them.

A library that loads a config.json with a billion layers, or with a vocabulary of a trillion tokens, would run for
minutes and use all memory before it fails.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from raft_exp.core.errors import ModelError

_MEGABYTE = 2**20
_LARGE = {"tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", "model.safetensors.index.json"}
_MOST_LARGE, _MOST = 128, 16  # largest sizes in MB, of the files above (known models: up to 40 MB) and of other files
_READ = {".json", ".jinja", ".txt"}
_MOST_LAYERS = 1000  # known models have fewer than 200
_MOST_SIZE = 10**8  # largest value of a dimension, a vocabulary or a number of positions
_LAYERS = {"num_hidden_layers", "num_layers", "n_layer", "n_layers", "decoder_layers", "encoder_layers"}
_LAYERS |= {"num_decoder_layers", "num_encoder_layers"}
# Fields that no language model can have with the value 0.
_ONE_OR_MORE = {"num_hidden_layers", "n_layer", "hidden_size", "n_embd", "d_model", "vocab_size"}
_ONE_OR_MORE |= {"num_attention_heads", "n_head", "num_key_value_heads"}
_SIZES = _ONE_OR_MORE | {"intermediate_size", "moe_intermediate_size", "ffn_dim", "n_inner", "head_dim"}
_POSITIONS = {"max_position_embeddings", "n_ctx", "n_positions", "max_seq_len"}  # the value -1 means no limit
_SIZES |= {"num_experts", "num_local_experts", "n_routed_experts"} | _POSITIONS
_MAY_BE_INFINITE = "time_step_limit"  # a field of state space models, with the value [0.0, Infinity]


def check_folder(folder: Path, named: str) -> None:
    """Raises ModelError if a text file of the folder is too large, or config.json has impossible values.

    `named`: the folder's name in messages, e.g. "model.name_or_path='x'". A folder without a config.json is accepted.
    """
    for file in sorted(folder.glob("*")):
        most = _MOST_LARGE if file.name in _LARGE else _MOST
        if file.suffix in _READ and file.is_file() and file.stat().st_size > most * _MEGABYTE:
            size = file.stat().st_size / _MEGABYTE
            raise ModelError(
                f"{named}: {file.name} has {size:,.0f} MB; must be at most {most} MB; download or save the model again"
            )
    file = folder / "config.json"
    if file.is_file():
        check_values(read_object(file, named), named)


def read_object(file: Path, named: str) -> Mapping[str, object]:
    """Returns the object in a small JSON file.

    Raises ModelError if the file cannot be read, is too large or too deeply nested, or holds no JSON object.
    """
    try:
        if file.stat().st_size > _MOST * _MEGABYTE:
            raise ModelError(f"{named}: {file.name} has more than {_MOST} MB; replace the file")
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ModelError(f"{named}: {file.name} is nested too deeply; repair the file") from None
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{named}: {file.name} cannot be read ({reason:.100}); repair the file") from error
    if not isinstance(values, dict):
        raise ModelError(f"{named}: {file.name} must hold a JSON object; repair the file")
    return values


def check_values(values: Mapping[str, object], named: str, where: str = "config.json") -> None:
    """Raises ModelError for a configuration with impossible values. `named`, `where`: folder and file in messages."""
    language = values.get("text_config")
    for part in (values, language if isinstance(language, Mapping) else {}):
        for name in sorted(_ONE_OR_MORE & set(part)):
            _check_number(name, part[name], 1, named, where)
    for name, value in _leaves(values):
        if name in _LAYERS | _SIZES:
            _check_number(name, value, -1 if name in _POSITIONS else 0, named, where)
        if isinstance(value, float) and (math.isnan(value) or (math.isinf(value) and name != _MAY_BE_INFINITE)):
            raise ModelError(f"{named}: {where} has {name}={value}; must be a finite number; repair the file")


def _check_number(name: str, value: object, least: int, named: str, where: str) -> None:
    """Raises ModelError unless a single value is None, or a whole number from `least` to the limit of the field."""
    most = _MOST_LAYERS if name in _LAYERS else _MOST_SIZE
    if value is None or isinstance(value, list | tuple | Mapping):  # `_leaves` yields the numbers in lists and objects
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ModelError(
            f"{named}: {where} has {name}={_short(value)}; must be a whole number from {least} to {most:,}; repair the "
            "file, or choose another model"
        )


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**40:  # Python refuses to write a number of thousands of digits
        return "a number of more than 40 digits"
    return f"{value!r:.40}"


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yields (name of the field, value) for each single value, also for those inside lists and objects."""
    open_parts = [(name, value)]
    while open_parts:
        name, value = open_parts.pop()
        if isinstance(value, Mapping):
            open_parts += [(str(key), item) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            open_parts += [(name, item) for item in value]
        else:
            yield name, value
