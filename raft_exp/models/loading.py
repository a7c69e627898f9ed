"""Loads language models and tokenizers from a hub id, a local folder, a GGUF file, or the package (`asset:NAME`)."""

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from pydantic import model_validator

from raft_exp import assets
from raft_exp.assets import ASSET
from raft_exp.core.errors import ModelError, RaftError
from raft_exp.core.hub import why_no_hub
from raft_exp.core.schema import KeyedWhenSet, Positive, PositiveFloat, Runtime, config_dataclass
from raft_exp.models import gguf, quantization, template_date
from raft_exp.models.adapter_checks import check_adapter
from raft_exp.models.dtype import Dtype
from raft_exp.models.folder_checks import check_folder
from raft_exp.models.tokens import set_date

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# The import of peft also imports bitsandbytes, which warns about a CPU kernel that is never used (see
# quantization.use_one_kernel).
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
_ENCODERS = ("encoder", "retriever.rerank", "evaluation.nli")  # config groups of sentence-transformers models
_CONTENT = {".json", ".jinja", ".model", ".safetensors", ".txt"}  # suffixes of the files that define a model


@config_dataclass
class ModelConfig:
    """The base model and its limits on prompt and reply."""

    name_or_path: str  # a hub id, a local folder, a GGUF file (see models/gguf.py), or asset:NAME (embedded model)
    revision: str | None  # commit on the hub; null for other models
    dtype: Dtype  # data type of the base model's weights
    max_length: Positive  # largest number of tokens of prompt and completion together
    max_new_tokens: Positive  # largest number of tokens of a reply; a prompt has at most max_length - max_new_tokens
    quantize: KeyedWhenSet[quantization.Method | None] = None  # nf4: 4-bit weights, frozen under a LoRA adapter
    # Learning rate of a LoRA adapter for trainer.learning_rate=auto; null: no published rate. Not part of a store key:
    # the learning rate that results from it is.
    lora_learning_rate: Runtime[PositiveFloat | None] = None
    # Today's date for the chat template (prompt.date). It is part of store keys if `template_date.asks_for_date`.
    date: Runtime[str] = template_date.DATE

    @model_validator(mode="after")
    def _a_prompt_has_room(self) -> "ModelConfig":
        if self.max_new_tokens >= self.max_length:
            raise ValueError(
                f"model.max_new_tokens: got {self.max_new_tokens}; must be less than "
                f"model.max_length={self.max_length}, which holds prompt and reply; set a smaller "
                "model.max_new_tokens, or a larger model.max_length"
            )
        return self


_FOLDERS: dict[str, Path] = {}  # name of a GGUF file -> the folder with its converted model


def use_folder(name_or_path: str, folder: Path) -> None:
    """Registers `folder` as the converted model of a GGUF file. This process then loads the model from `folder`."""
    _FOLDERS[name_or_path] = folder


def resolve(name_or_path: str, group: str = "model") -> str:
    """Returns the folder or hub id from which a model is loaded.

    For `asset:NAME`, this is a folder in the package; for a GGUF file, the folder with the converted model. `group`:
    the config group in messages. Raises ModelError for a path that is not a folder, for an unknown embedded model, and
    for a GGUF file that is not converted yet or is given as an encoder.
    """
    if gguf.is_gguf(name_or_path):
        if group in _ENCODERS:
            raise ModelError(
                f"{group}.name_or_path={name_or_path!r}: an encoder cannot be a GGUF file; give a model folder or a "
                "hub id"
            )
        if name_or_path not in _FOLDERS:
            raise ModelError(
                f"{group}.name_or_path={name_or_path!r}: the converted model is not in the store; run the study again"
            )
        return str(_FOLDERS[name_or_path])
    if name_or_path.startswith(ASSET):
        folder = assets.path(name_or_path)
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"{group}.name_or_path={name_or_path!r}: no such embedded model; there are asset:pocket and asset:tiny"
            )
        return str(folder)
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return str(folder)
    # A hub id is NAME or OWNER/NAME; any other form, or the name of a file, was meant as a path.
    if folder.exists() or name_or_path.startswith(("/", ".", "~")) or name_or_path.count("/") > 1:
        raise ModelError(f"{group}.name_or_path={name_or_path!r}: no such folder; give a model folder or a hub id")
    return name_or_path


def has_random_weights(name_or_path: str) -> bool:
    """Returns whether a model has random weights, judged by its name alone.

    Such names are `asset:tiny`, the folder of this asset, and any name that contains `tiny-random`.
    """
    folder = assets.path(f"{ASSET}tiny")
    return (
        name_or_path == f"{ASSET}tiny"
        or "tiny-random" in name_or_path
        or Path(name_or_path).expanduser().resolve() == folder
    )


class Named(Protocol):
    """A config with the name of a model: ModelConfig or EncoderConfig."""

    @property
    def name_or_path(self) -> str:
        """A hub id, a local folder, a GGUF file, or `asset:NAME` (embedded model)."""

    @property
    def revision(self) -> str | None:
        """The commit of the model on the hub; None for other models."""


class Dated(Named, Protocol):
    """A config of a language model with a date for its chat template."""

    @property
    def date(self) -> str:
        """Today's date in the chat template, e.g. 2024-07-26."""


def files(config: Named, group: str = "model") -> list[Path]:
    """Returns the local files whose content identifies the model; [] for a hub id.

    Raises ModelError for a hub id without a revision, for a folder with impossible values, and for an unknown path.
    """
    if gguf.is_gguf(config.name_or_path) and group not in _ENCODERS:
        return [gguf.find(config.name_or_path, group)]
    folder = Path(resolve(config.name_or_path, group))
    if folder.is_dir():
        check_folder(folder, f"{group}.name_or_path={config.name_or_path!r}")
        # an encoder has modules in subfolders; subfolders of a language model are checkpoints, which are not loaded
        paths = [*folder.iterdir(), *(folder.glob("*/*") if group in _ENCODERS else [])]
        return sorted(path for path in paths if path.is_file() and path.suffix in _CONTENT)
    if config.revision is None:
        raise ModelError(
            f"{group}.revision: has no value, but {config.name_or_path!r} on the hub can change; set {group}.revision "
            "to a commit of this model on the hub"
        )
    return []


def conversion(config: Named) -> dict[str, str]:
    """Returns the version of the GGUF conversion, for the keys of stages that load the model; {} for other models."""
    return {"conversion": str(gguf.VERSION)} if gguf.is_gguf(config.name_or_path) else {}


def tokenizer_of(model: Dated) -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a model, with `model.date` for its chat template. Raises ModelError if this fails."""
    return load_tokenizer(model.name_or_path, model.revision, model.date)


def load_tokenizer(
    name_or_path: str, revision: str | None = None, date: str = template_date.DATE
) -> "PreTrainedTokenizerBase":
    """Loads a tokenizer, with `date` as today's date in its chat template. Raises ModelError if this fails."""
    from transformers import AutoTokenizer

    with quiet(), explained(name_or_path, revision):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(**source(name_or_path, revision))
        set_date(tokenizer, date)
        return tokenizer


def date_files(model: Dated) -> dict[str, str]:
    """Returns {"prompt.date": date} as a part of stage keys; {} for a model whose chat template does not use a date."""
    if gguf.is_gguf(model.name_or_path):
        asks = gguf.asks_for_date(gguf.find(model.name_or_path))  # the file may not be converted yet
    else:
        asks = template_date.asks_for_date(resolve(model.name_or_path), model.revision)
    return {"prompt.date": model.date} if asks else {}


def load(config: ModelConfig, device: str = "cpu") -> "PreTrainedModel":
    """Loads a causal language model in evaluation mode, only from safetensors. Raises ModelError if this fails.

    With `config.quantize` the weights are quantised on `device`, one after another.
    """
    import torch
    from transformers import AutoModelForCausalLM

    quantization.check_installed(config.quantize)
    dtype = getattr(torch, config.dtype)
    quantized = {"quantization_config": quantization.settings(dtype), "device_map": {"": device}}
    with quiet(), explained(config.name_or_path, config.revision):
        arguments = source(config.name_or_path, config.revision)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            **arguments,
            dtype=dtype,
            use_safetensors=True,
            adapter_kwargs={"local_files_only": arguments["local_files_only"]},
            **(quantized if config.quantize else {}),
        )
        if config.quantize:
            quantization.use_one_kernel(model)
        return model.to(device).eval()


def load_to_merge(config: ModelConfig) -> "PreTrainedModel":
    """Loads a model in float32 on the CPU, as bfloat16 is not precise enough to merge an adapter.

    With `config.quantize`, the weights are quantised and then dequantised: the adapter was trained on rounded weights.
    """
    import torch

    if config.quantize is None:
        return load(dataclasses.replace(config, dtype="float32"))
    on_gpu = torch.cuda.is_available()  # quantised by the GPU's kernels, as in the training
    with quiet():
        return quantization.dequantized(load(config, "cuda" if on_gpu else "cpu")).to("cpu", torch.float32)


def base_memory(config: ModelConfig) -> quantization.BaseMemory:
    """Computes the memory of a quantised base model from its configuration.

    Does not use the network, so a hub model must be in the local cache. Raises ModelError if the configuration cannot
    be read.
    """
    import torch
    from transformers import AutoConfig

    with quiet(), explained(config.name_or_path, config.revision):
        settings = AutoConfig.from_pretrained(
            **{**source(config.name_or_path, config.revision), "local_files_only": True}
        )
        return quantization.base_memory(settings, getattr(torch, config.dtype))


class LoadArguments(TypedDict):
    """Keyword arguments of `from_pretrained` of transformers."""

    pretrained_model_name_or_path: str
    revision: str | None
    local_files_only: bool
    trust_remote_code: bool


def source(name_or_path: str, revision: str | None, group: str = "model") -> LoadArguments:
    """Returns the arguments of `from_pretrained` for a model or tokenizer.

    Without access to the hub, only files in its local cache are allowed. Raises ModelError for a model folder with
    impossible values.
    """
    place = resolve(name_or_path, group)
    local = Path(place).is_dir() or bool(why_no_hub())
    if Path(place).is_dir():
        check_folder(Path(place), f"{group}.name_or_path={name_or_path!r}")
    return {
        "pretrained_model_name_or_path": place,
        "revision": revision,
        "local_files_only": local,
        "trust_remote_code": False,
    }


def with_adapter(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """Adds the LoRA adapter in `folder` to a model. Returns the adapted model in evaluation mode.

    Raises ModelError if the folder has no adapter, or the adapter does not fit the model.
    """
    import peft

    if not (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"adapter={folder}: the folder has no adapter_config.json; use a folder that PEFT's save_pretrained has "
            "written"
        )
    check_adapter(folder, [name for name, _ in model.named_modules() if name])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = peft.PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # libraries raise errors of many types for damaged files
        raise ModelError(
            f"adapter={folder}: does not fit this base model ({_first_line(error)}); use the model that the adapter "
            "was trained with"
        ) from error
    if any("missing adapter keys" in str(warning.message) for warning in caught):
        raise ModelError(
            f"adapter={folder}: does not fit this base model (weights are missing); use the model that the adapter was "
            "trained with"
        )
    return loaded.eval()


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Sets the number of torch's CPU threads inside the `with` block; None leaves this number unchanged.

    The last bits of sums depend on the number of threads.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether torch ran out of memory on a GPU, or on the CPU, where torch raises a plain RuntimeError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turns off the progress bars and warnings of transformers inside the `with` block."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def explained(name_or_path: str, revision: str | None, group: str = "model") -> Iterator[None]:
    """Converts loading errors inside the `with` block to a ModelError of one line that names a remedy.

    A RaftError passes unchanged. `group`: the config group in the message.
    """
    try:
        yield
    except RaftError:
        raise
    except Exception as error:  # libraries raise errors of many types for damaged files
        raise ModelError(
            f"{group}.name_or_path={name_or_path!r}: {_remedy(error, name_or_path, revision, group)}"
        ) from error


def _remedy(error: BaseException, name_or_path: str, revision: str | None, group: str) -> str:
    import huggingface_hub.errors as hub

    if is_out_of_memory(error):
        return "out of memory while loading; choose a smaller model" + (" or model.dtype=bfloat16" * (group == "model"))
    if "custom code" in str(error):
        return (
            "the model needs code from its repository (trust_remote_code), which raft_exp does not run; choose a model "
            "with a class in transformers"
        )
    causes = list(_chain(error))
    if any(isinstance(cause, hub.GatedRepoError) for cause in causes) or "gated repo" in str(error):
        return (
            f"access is restricted; request it on https://huggingface.co/{name_or_path}, then set HF_TOKEN (or use `hf "
            "auth login`)"
        )
    if any(isinstance(cause, hub.RevisionNotFoundError) for cause in causes):
        return f"the hub has no {group}.revision={revision!r} of this model; set one of its commits"
    if any(isinstance(cause, hub.RepositoryNotFoundError) for cause in causes):
        return "no such folder, and no such model on the hub; correct the name, or set HF_TOKEN for a private model"
    if Path(resolve(name_or_path)).is_dir():
        return f"not a usable model folder ({_first_line(error)}); it needs config.json, *.safetensors and a tokenizer"
    if reason := why_no_hub():
        return f"not in the local hub cache (HF_HOME), and {reason}; allow access, or use a local model folder"
    return f"cannot be loaded ({_first_line(error)}); it needs config.json, *.safetensors and a tokenizer"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
