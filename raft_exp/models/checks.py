"""Checks a model's configuration and tokenizer, without its weights, before a study pays for anything.

The model is built on torch's meta device, i.e. with the names and shapes of its weights, but without their values. For
the embedded models (`asset:`), only config.json is read, without an import of transformers, unless an adapter has a
list of target modules.
"""

import copy
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from raft_exp.assets import ASSET
from raft_exp.core import limited, processes
from raft_exp.core.errors import ModelError, suggest
from raft_exp.core.hub import why_no_hub
from raft_exp.models import gguf, tokenizer_child
from raft_exp.models.folder_checks import check_folder, check_values
from raft_exp.models.loading import LoadArguments, ModelConfig, explained, quiet, resolve
from raft_exp.models.template_date import asks_for_date
from raft_exp.models.tokens import encode_completion, encode_prompt

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ALL_LINEAR = "all-linear"
# Fields of configurations with the number of positions. GPT-2 and similar models have n_positions.
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
# Types of RoPE scaling whose factor multiplies the number of positions. Type llama3 gives the multiplied number.
_EXTENDING = ("linear", "dynamic", "yarn")
_SECONDS = 120  # time limit to read a configuration and build the model without weights; usual models need 1 or 2 s
_SPLITTING_SECONDS = 10  # limit of the CPU time; a large tokenizer needs one second for all samples
_LEAST_BYTES = 0.1  # least bytes of a weight in a file; quantised weights have 0.25 bytes (two bits) or more
_NOT_CAUSAL = ("MaskedLM", "Classification", "QuestionAnswering", "ForPreTraining", "ForRetrieval")
_CHOOSE = "choose a causal language model, whose config.json names a class ...ForCausalLM in `architectures`"


class LoraSettings(Protocol):
    """The LoRA settings that are checked against the model. `training.config.LoraConfig` implements this protocol."""

    @property
    def r(self) -> int:
        """The rank of the adapter; 0 for full fine-tuning."""

    @property
    def target_modules(self) -> str | list[str]:
        """`all-linear`, or a list of module names."""


def check(
    model: ModelConfig, lora: LoraSettings | None, packing: bool, download: bool, by_transformers: bool = True
) -> list[str]:
    """Checks settings against the model's configuration and tokenizer. Returns notes to print.

    `lora`: the LoRA settings of the training; None without training. `packing`: whether rows must be packed.
    `download`: whether to download configuration and tokenizer from the hub; a hub model that is neither downloaded nor
    in the local cache is not checked. `by_transformers`: whether transformers runs the model. vLLM has its own model
    classes, so with vLLM only a local folder is checked: the sizes and values of its files, and the number of
    positions. Raises ModelError if a setting does not fit the model, or a file of the model is damaged.
    """
    place = Path(resolve(model.name_or_path))
    if place.is_dir():
        check_folder(place, _named(model))
    values = _values(place / "config.json")
    _check_positions(model, _positions(values))
    embedded = model.name_or_path.startswith(ASSET)
    if embedded and (lora is None or not lora.r or lora.target_modules == ALL_LINEAR):
        return []
    source = _source(model, download) if by_transformers else None
    if source is None:
        return []
    with explained(model.name_or_path, model.revision), processes.time_limit(_SECONDS):
        config = _config(model, source)
        _check_kind(model, config)
        check_values(config.to_dict(), _named(model))
        _check_positions(model, _positions(config.get_text_config(decoder=True).to_dict()))
        skeleton = _skeleton(model, config)
    if skeleton is None:
        return []
    _check_size(model, place, skeleton)
    if packing and (obstacle := packing_obstacle(config)):
        raise ModelError(
            f"trainer.packing=true: {type(skeleton).__name__} has {obstacle}, which packed rows do not support; use "
            "trainer.packing=false"
        )
    if lora is not None and lora.r:
        _check_lora(lora, skeleton, config)
    _check_splitting(model, place)
    tokenizer = _tokenizer(model, source, download)
    return [] if tokenizer is None else _check_tokenizer(model, tokenizer, _embedding_rows(skeleton))


def check_weights(model: ModelConfig) -> None:
    """Raises ModelError for a local model folder without *.safetensors files."""
    if gguf.is_gguf(model.name_or_path):
        return  # the file may not be converted yet
    folder = Path(resolve(model.name_or_path))
    if folder.is_dir() and not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"model.name_or_path={model.name_or_path!r}: the folder has no weights (*.safetensors); save the "
            "model there with save_pretrained"
        )


def packing_obstacle(config: "PretrainedConfig") -> str:
    """Returns the part of a model's attention that does not support packed rows; "" if all parts support them."""
    text = config.get_text_config(decoder=True)
    if getattr(text, "attn_logit_softcapping", None):
        return f"a softcap of attention scores (attn_logit_softcapping={text.attn_logit_softcapping})"
    return "attention sinks" if text.model_type == "gpt_oss" else ""


def _values(file: Path) -> Mapping[str, object]:
    """Returns the values of a local config.json (of its `text_config` if it has one); {} if it cannot be read."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # a hub model, or a damaged file, for which transformers gives the error
    text = values.get("text_config", values) if isinstance(values, dict) else {}
    return text if isinstance(text, dict) else {}


def _source(model: ModelConfig, download: bool) -> LoadArguments | None:
    """Returns the arguments of `from_pretrained`.

    Returns None for a hub model that is not in the local cache and may not be downloaded, and for a folder that holds
    only an adapter.
    """
    place = Path(resolve(model.name_or_path))
    if place.is_dir():
        if not (place / "config.json").is_file() and (place / "adapter_config.json").is_file():
            return None  # an adapter, which is loaded with the base model that it names
        offline = True
    else:
        offline = not download or bool(why_no_hub())
        if offline and not _is_cached(str(place), model.revision):
            return None
    return {
        "pretrained_model_name_or_path": str(place),
        "revision": model.revision,
        "local_files_only": offline,
        "trust_remote_code": False,
    }


def _is_cached(name: str, revision: str | None) -> bool:
    """Returns whether configuration and tokenizer of a hub model are in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    files = ("config.json", "tokenizer_config.json")
    return all(isinstance(try_to_load_from_cache(name, file, revision=revision), str) for file in files)


def _config(model: ModelConfig, source: LoadArguments) -> "PretrainedConfig":
    from transformers import AutoConfig

    with quiet(), explained(model.name_or_path, model.revision):
        config: PretrainedConfig = AutoConfig.from_pretrained(**source)
    return config


def _check_kind(model: ModelConfig, config: "PretrainedConfig") -> None:
    """Raises ModelError unless the model is a causal language model."""
    names = [name for name in config.architectures or [] if any(word in name for word in _NOT_CAUSAL)]
    if names or config.is_encoder_decoder:
        kind = names[0] if names else f"an encoder with a decoder ({config.model_type})"
        raise ModelError(f"model.name_or_path={model.name_or_path!r}: the model is {kind}; {_CHOOSE}")


def _skeleton(model: ModelConfig, config: "PretrainedConfig") -> "PreTrainedModel | None":
    """Builds the model on the meta device. Returns None for a model whose construction needs the values of weights.

    Raises ModelError if transformers has no causal language model of this type.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with quiet(), torch.device("meta"):
            skeleton: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except RuntimeError as error:
        if isinstance(error, RecursionError):
            raise
        return None
    except (ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        if "Unrecognized configuration class" in reason:
            reason = f"transformers has no causal language model of type {config.model_type!r}; {_CHOOSE}"
        raise ModelError(f"model.name_or_path={model.name_or_path!r}: {reason}") from error
    return skeleton


def _check_size(model: ModelConfig, place: Path, skeleton: "PreTrainedModel") -> None:
    """Raises ModelError if the weight files in a folder are far too small for the configuration."""
    size = sum(file.stat().st_size for file in place.glob("*.safetensors")) if place.is_dir() else 0
    weights = sum(weight.numel() for weight in skeleton.parameters())
    if size and weights * _LEAST_BYTES > size:
        raise ModelError(
            f"{_named(model)}: config.json describes {weights:,} weights, but the *.safetensors files have only "
            f"{size:,} bytes; download or save the model again"
        )


def _check_splitting(model: ModelConfig, place: Path) -> None:
    """Raises ModelError for a tokenizer.json that fails, or needs too long, for sample texts.

    Encodes the texts in a child process, as a regular expression of a tokenizer can take years.
    """
    file = place / "tokenizer.json"
    if not file.is_file():
        return  # another form without such patterns, or a model of the hub
    try:
        fault = limited.ask(tokenizer_child.__name__, str(file.absolute()), _SPLITTING_SECONDS, memory_mb=4096)
    except limited.LimitError as error:
        fault = f"needs {error} for a few lines of text"
    if fault:
        raise ModelError(
            f"{_named(model)}: its tokenizer.json {fault}; use the tokenizer that the model was trained with, or "
            "choose another model"
        )


def _named(model: ModelConfig) -> str:
    return f"model.name_or_path={model.name_or_path!r}"


def _positions(config: Mapping[str, object]) -> int | None:
    """Returns the number of positions of a configuration; None for no limit (ALiBi, state space models)."""
    numbers = [value for name in _POSITIONS if isinstance(value := config.get(name), int) and value > 0]
    if not numbers or config.get("alibi"):
        return None
    return int(numbers[0] * max([1.0, *_extensions(config.get("rope_parameters") or config.get("rope_scaling"))]))


def _extensions(rope: object) -> Iterator[float]:
    """Yields the factors by which RoPE scaling extends the positions: one for each type of layers."""
    if isinstance(rope, Mapping):
        factor = rope.get("factor")
        if rope.get("rope_type", rope.get("type")) in _EXTENDING and isinstance(factor, int | float):
            yield float(factor)
        for value in rope.values():
            yield from _extensions(value)


def _check_positions(model: ModelConfig, positions: int | None) -> None:
    if positions is None or model.max_length <= positions:
        return
    reply = "" if model.max_new_tokens < positions else f" and model.max_new_tokens below {positions}"
    raise ModelError(
        f"model.max_length={model.max_length}: {model.name_or_path} has {positions} positions; "
        f"set model.max_length={positions}{reply}, or choose a model with more positions"
    )


def _embedding_rows(skeleton: "PreTrainedModel") -> int:
    return int(skeleton.get_input_embeddings().weight.shape[0])


def _tokenizer(model: ModelConfig, source: LoadArguments, download: bool) -> "PreTrainedTokenizerBase | None":
    """Returns the tokenizer; None if some of its files are not in the local cache and `download` is false."""
    from transformers import AutoTokenizer

    try:
        with quiet(), explained(model.name_or_path, model.revision):
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(**source)
    except ModelError:
        if download or Path(source["pretrained_model_name_or_path"]).is_dir():
            raise
        return None
    return tokenizer


def _check_tokenizer(model: ModelConfig, tokenizer: "PreTrainedTokenizerBase", rows: int) -> list[str]:
    """Checks that the token ids of texts have rows in the embeddings, and that replies have an end token.

    `rows`: number of rows of the input embeddings. Returns notes to print. Raises ModelError if a check fails.
    """
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "When?"}]
    ids = [*encode_prompt(tokenizer, messages), *encode_completion(tokenizer, "1802")]
    added = tokenizer.added_tokens_decoder
    # Control tokens stand in prompts where the chat template puts them; texts contain none (prompts.clean).
    highest = max([*ids, *(number for number in tokenizer.get_vocab().values() if number not in added)])
    if highest >= rows:
        raise ModelError(
            f"model.name_or_path={model.name_or_path!r}: the tokenizer has the token "
            f"{tokenizer.convert_ids_to_tokens(highest)!r} with id {highest}, but the model's embeddings have only "
            f"{rows} rows; use the tokenizer and chat template that belong to the model, or save the model after "
            f"resize_token_embeddings({max(len(tokenizer), highest + 1)})"
        )
    if asks_for_date(resolve(model.name_or_path), model.revision):
        return [
            f"model.name_or_path={model.name_or_path!r}: its chat template writes today's date into each prompt; "
            f"raft_exp writes prompt.date={model.date} in its place"
        ]
    if tokenizer.chat_template:
        return []
    return [
        f"model.name_or_path={model.name_or_path!r} has no chat template, so prompts are plain text, as for a base "
        "model; for a chat model, put its chat_template.jinja into a local copy of the model"
    ]


def _check_lora(lora: LoraSettings, skeleton: "PreTrainedModel", config: "PretrainedConfig") -> None:
    """Raises ModelError for a rank or target modules that do not fit the model."""
    name = type(skeleton).__name__
    size = int(getattr(config.get_text_config(decoder=True), "hidden_size", lora.r))
    if lora.r > size:
        raise ModelError(
            f"lora.r={lora.r}: the rank is larger than the hidden size {size} of {name}; set lora.r={size} or less, or "
            "train all weights with lora=full"
        )
    linear = _linear_names(skeleton)
    if not isinstance(lora.target_modules, str):
        _check_names(lora.target_modules, skeleton, linear)
    elif not linear:
        raise ModelError(
            f"lora.target_modules={lora.target_modules}: {name} has no linear layers; train all weights with lora=full"
        )


def _check_names(names: Sequence[str], skeleton: "PreTrainedModel", linear: Sequence[str]) -> None:
    """Raises ModelError for a name that matches no module, or a module that cannot have a LoRA adapter.

    `linear`: names of the linear layers, for the message.
    """
    remedy = f"use lora.target_modules=[{','.join(linear)}] or some of them"
    experts = _names_of_experts(names, skeleton, remedy) if _has_stacked_experts(skeleton) else set()
    tied = bool(skeleton.config.get_text_config(decoder=True).tie_word_embeddings)
    for name in (name for name in names if name not in experts):
        modules = [module for path, module in skeleton.named_modules() if f".{path}".endswith(f".{name}")]
        if not modules:
            message = f"lora.target_modules: {name!r} is not a module of {type(skeleton).__name__}"
            raise ModelError(f"{message}; {suggest(name, [*linear, *experts])}")
        for module in modules:
            if not _is_adaptable(module):
                kind = type(module).__name__
                raise ModelError(f"lora.target_modules: {name!r} is a {kind}, which LoRA does not support; {remedy}")
            if tied and module in (skeleton.get_input_embeddings(), skeleton.get_output_embeddings()):
                raise ModelError(
                    f"lora.target_modules: {name!r} is tied to the other embedding layer of {type(skeleton).__name__} "
                    f"(tie_word_embeddings), so that a merged model would differ from model and adapter; {remedy}"
                )


def _linear_names(model: "PreTrainedModel") -> list[str]:
    """Returns the last parts of the names of all linear layers except the output head, as PEFT's `all-linear` does."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    layers = (
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    )
    return list(dict.fromkeys(layers))


def _is_adaptable(module: "nn.Module") -> bool:
    """Returns whether PEFT supports LoRA for this module."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    kinds = (nn.Linear, Conv1D, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)
    return isinstance(module, kinds)


def _has_stacked_experts(model: "nn.Module") -> bool:
    """Returns whether a parameter holds a matrix for each expert, i.e. has three dimensions and is no convolution."""
    from torch import nn

    return any(
        weight.dim() == 3 and not isinstance(module, nn.Conv1d)
        for module in model.modules()
        for weight in module.parameters(recurse=False)
    )


def _names_of_experts(names: Sequence[str], skeleton: "PreTrainedModel", remedy: str) -> set[str]:
    """Returns the names that PEFT translates to stacked weights of experts, i.e. layer names of transformers 4.

    Calls PEFT with the names. Raises ModelError if PEFT refuses them; `remedy` ends the message.
    """
    import peft

    settings = peft.LoraConfig(r=1, target_modules=list(names), task_type="CAUSAL_LM")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            translated = peft.get_peft_model(copy.deepcopy(skeleton), settings).peft_config["default"].target_modules
    except ValueError as error:
        if "not found in the base model" in str(error) or "is not supported" in str(error):
            return set()  # `_check_names` names the module
        reason = str(error).strip().splitlines()[0].partition("(")[0].partition(". ")[0].strip().rstrip(".")
        raise ModelError(f"lora.target_modules=[{','.join(names)}]: {reason}; {remedy}") from error
    return set(names) - set(translated)
