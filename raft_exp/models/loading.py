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

# Its import, which peft's brings along, warns of a CPU kernel that is never used: see quantization.use_one_kernel.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
_CONTENT = {".json", ".jinja", ".model", ".safetensors", ".txt"}  # suffixes of the files whose content makes the model


@config_dataclass
class ModelConfig:
    """The base model: a hub id with its revision, a local folder, a GGUF file (see `models.gguf`), or `asset:tiny`."""

    name_or_path: str  # a hub id, a local folder, a GGUF file, or asset:NAME for a model of the package
    revision: str | None  # commit on the hub; null: the newest
    dtype: Dtype  # of the base model's weights
    max_length: Positive  # tokens of prompt and completion together
    max_new_tokens: Positive  # tokens of a reply; a prompt has max_length - max_new_tokens
    quantize: KeyedWhenSet[quantization.Method | None] = None  # nf4: 4-bit weights, frozen under a LoRA adapter
    # Of a LoRA adapter, for trainer.learning_rate=auto, which alone is part of a key; null: no published rate.
    lora_learning_rate: Runtime[PositiveFloat | None] = None
    # What its chat template is told as today: prompt.date. `template_date.asks_for_date` decides whether keys have it.
    date: Runtime[str] = template_date.DATE

    @model_validator(mode="after")
    def _a_prompt_has_room(self) -> "ModelConfig":
        if self.max_new_tokens >= self.max_length:
            raise ValueError(
                f"model.max_new_tokens: got {self.max_new_tokens}; must be less than "
                f"model.max_length={self.max_length}, which holds prompt and reply"
            )
        return self


_FOLDERS: dict[str, Path] = {}  # name of a GGUF file -> the folder with its converted model


def use_folder(name_or_path: str, folder: Path) -> None:
    """Loads the model of this name from `folder` from now on, in this process."""
    _FOLDERS[name_or_path] = folder


def resolve(name_or_path: str, group: str = "model") -> str:
    """The folder or hub id to load: `asset:NAME` becomes a folder inside the package, a GGUF file its converted folder.

    Raises ModelError when a name in the form of a path is no folder. `group` is the config group in the message.
    """
    if gguf.is_gguf(name_or_path):
        if group == "encoder":
            raise ModelError(
                f"encoder.name_or_path={name_or_path!r}: an encoder cannot be a GGUF file; give a model folder or a "
                "hub id"
            )
        if name_or_path not in _FOLDERS:
            raise ModelError(
                f"{group}.name_or_path={name_or_path!r}: its conversion is not in the store; run the study again"
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
    """Whether a model is untrained by its name: `asset:tiny`, its folder, or a hub id like OWNER/tiny-random-NAME."""
    folder = assets.path(f"{ASSET}tiny")
    return (
        name_or_path == f"{ASSET}tiny"
        or "tiny-random" in name_or_path
        or Path(name_or_path).expanduser().resolve() == folder
    )


class Named(Protocol):
    """A config that names a model: ModelConfig or EncoderConfig."""

    @property
    def name_or_path(self) -> str:
        """A hub id, a folder, or `asset:NAME`."""

    @property
    def revision(self) -> str | None:
        """The commit of a hub id; None for a folder."""


class Dated(Named, Protocol):
    """A config of a language model: ModelConfig, or the window of the rows."""

    @property
    def date(self) -> str:
        """What its chat template is told as today."""


def files(config: Named, group: str = "model") -> list[Path]:
    """The local files whose content identifies the model; [] for a hub id.

    Raises ModelError for a hub id without a revision, and for a folder with absurd files.
    """
    if gguf.is_gguf(config.name_or_path) and group != "encoder":
        return [gguf.find(config.name_or_path, group)]
    folder = Path(resolve(config.name_or_path, group))
    if folder.is_dir():
        check_folder(folder, f"{group}.name_or_path={config.name_or_path!r}")
        # an encoder has modules in subfolders; subfolders of a language model are checkpoints, which are not loaded
        paths = [*folder.iterdir(), *(folder.glob("*/*") if group == "encoder" else [])]
        return sorted(path for path in paths if path.is_file() and path.suffix in _CONTENT)
    if config.revision is None:
        raise ModelError(
            f"{group}.revision: has no value for the hub's {config.name_or_path!r}, so that the weights of a result "
            f"would be unknown; set {group}.revision to one of its commits"
        )
    return []


def conversion(config: Named) -> dict[str, str]:
    """The version of the GGUF conversion, for the keys of stages that load the model; {} for other models."""
    return {"conversion": str(gguf.VERSION)} if gguf.is_gguf(config.name_or_path) else {}


def tokenizer_of(model: Dated) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model, with the model's date in its chat template. Raises ModelError with the remedy."""
    return load_tokenizer(model.name_or_path, model.revision, model.date)


def load_tokenizer(
    name_or_path: str, revision: str | None = None, date: str = template_date.DATE
) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model, with `date` as today in its chat template. Raises ModelError with the remedy."""
    from transformers import AutoTokenizer

    with quiet(), explained(name_or_path, revision):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(**source(name_or_path, revision))
        set_date(tokenizer, date)
        return tokenizer


def date_files(model: Dated) -> dict[str, str]:
    """The date in the form of one more input file of a stage; {} for a model whose chat template uses no date."""
    if gguf.is_gguf(model.name_or_path):
        asks = gguf.asks_for_date(gguf.find(model.name_or_path))  # it may not be converted yet
    else:
        asks = template_date.asks_for_date(resolve(model.name_or_path), model.revision)
    return {"prompt.date": model.date} if asks else {}


def load(config: ModelConfig, device: str = "cpu") -> "PreTrainedModel":
    """The causal language model, in evaluation mode, only from safetensors. Raises ModelError with the remedy.

    With `config.quantize` its weights are quantised on `device`, one after another.
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
    """The model of `load` in float32 on the CPU, with ordinary layers: bfloat16 has too few digits to merge in.

    Quantised weights are dequantised: an adapter corrects the rounding of the base that it was trained on.
    """
    import torch

    if config.quantize is None:
        return load(dataclasses.replace(config, dtype="float32"))
    on_gpu = torch.cuda.is_available()  # by the GPU's kernels, as in its training
    with quiet():
        return quantization.dequantized(load(config, "cuda" if on_gpu else "cpu")).to("cpu", torch.float32)


def base_memory(config: ModelConfig) -> quantization.BaseMemory:
    """The memory of a quantised base model, from its configuration. Raises ModelError where that cannot be read.

    The network is not used: a model of the hub must be in the local cache.
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
    """The arguments that load a model or tokenizer. Without access to the hub, only its local cache is searched.

    Raises ModelError for a folder with absurd files.
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
    """The model with the LoRA adapter in `folder`, in evaluation mode.

    Raises ModelError when `folder` holds no adapter, or one that does not fit the model.
    """
    import peft

    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"adapter={folder}: no adapter_config.json there; give a folder that PEFT has written")
    check_adapter(folder, [name for name, _ in model.named_modules() if name])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = peft.PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # of many types: the files are not ours
        raise ModelError(f"adapter={folder}: does not fit this base model ({_first_line(error)})") from error
    if any("missing adapter keys" in str(warning.message) for warning in caught):
        raise ModelError(f"adapter={folder}: does not fit this base model (weights are missing)")
    return loaded.eval()


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Sets the number of torch's CPU threads inside the block; None: unchanged.

    The last bits of sums depend on this number.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory: on a GPU, or on the CPU, where torch raises a plain RuntimeError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turns off the progress bars and warnings of transformers inside the block."""
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
    """Converts errors of loading inside the block into ModelError: one line with the remedy."""
    try:
        yield
    except RaftError:
        raise
    except Exception as error:  # of many types: the files are not ours
        raise ModelError(
            f"{group}.name_or_path={name_or_path!r}: {_remedy(error, name_or_path, revision, group)}"
        ) from error


def _remedy(error: BaseException, name_or_path: str, revision: str | None, group: str) -> str:
    import huggingface_hub.errors as hub

    if is_out_of_memory(error):
        return "out of memory while loading; choose a smaller model" + (" or model.dtype=bfloat16" * (group == "model"))
    if "custom code" in str(error):
        return "it needs code of its own, which is never run (trust_remote_code); choose a model of transformers itself"
    causes = list(_chain(error))
    if any(isinstance(cause, hub.GatedRepoError) for cause in causes) or "gated repo" in str(error):
        return f"gated; ask for access on https://huggingface.co/{name_or_path}, then set HF_TOKEN (or `hf auth login`)"
    if any(isinstance(cause, hub.RevisionNotFoundError) for cause in causes):
        return f"the hub has no {group}.revision={revision!r} of it"
    if any(isinstance(cause, hub.RepositoryNotFoundError) for cause in causes):
        return "no such folder here and no such model on the hub (a private one needs HF_TOKEN)"
    if Path(resolve(name_or_path)).is_dir():
        return f"not a usable model folder ({_first_line(error)}); it needs config.json, *.safetensors and a tokenizer"
    if reason := why_no_hub():
        return f"not in the local hub cache (HF_HOME), and {reason}; connect, or give a local model folder"
    return f"cannot be loaded ({_first_line(error)}); it needs config.json, *.safetensors and a tokenizer"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
