"""Where models and tokenizers come from: a hub id, a local folder, or the small one that ships with the package."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import model_validator

from raft_exp.core.errors import ModelError
from raft_exp.core.hub import why_no_hub
from raft_exp.core.schema import Positive, config_dataclass

ASSET = "asset:"
_CONTENT = {".json", ".jinja", ".model", ".safetensors", ".txt"}  # the files of a model folder that make the model


@config_dataclass
class ModelConfig:
    """The base model: a hub id with its revision, a local folder, or `asset:tiny`."""

    name_or_path: str
    revision: str | None
    dtype: Literal["float32", "bfloat16", "float16"]
    max_length: Positive  # tokens of prompt and completion together
    max_new_tokens: Positive  # tokens of a reply; a prompt has max_length - max_new_tokens

    @model_validator(mode="after")
    def _a_prompt_has_room(self) -> "ModelConfig":
        if self.max_new_tokens >= self.max_length:
            raise ValueError(
                f"model.max_new_tokens: got {self.max_new_tokens}; must be less than "
                f"model.max_length={self.max_length}, which holds prompt and reply"
            )
        return self


def resolve(name_or_path: str, group: str = "model") -> str:
    """What transformers is to open: `asset:NAME` becomes the folder inside the package, the rest stays.

    Raises ModelError when something that looks like a path is no folder; `group` is the config group it names.
    """
    if name_or_path.startswith(ASSET):
        folder = Path(__file__).parents[1] / "assets" / name_or_path.removeprefix(ASSET)
        if not (folder / "config.json").is_file():
            raise ModelError(f"{group}.name_or_path={name_or_path!r}: no such embedded model; there is asset:tiny")
        return str(folder)
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return str(folder)
    # A hub id is NAME or OWNER/NAME: whatever has another form, or a file behind it, was meant as a path.
    if folder.exists() or name_or_path.startswith(("/", ".", "~")) or name_or_path.count("/") > 1:
        raise ModelError(f"{group}.name_or_path={name_or_path!r}: no such folder; give a model folder or a hub id")
    return name_or_path


class Named(Protocol):
    """What says which model is meant: the config of a model, or of an encoder."""

    @property
    def name_or_path(self) -> str:
        """A hub id, a folder, or `asset:NAME`."""

    @property
    def revision(self) -> str | None:
        """The commit of a hub id."""


def files(config: Named, group: str = "model") -> list[Path]:
    """The local files whose content identifies the model; none for a hub id, which needs a revision (ModelError)."""
    folder = Path(resolve(config.name_or_path, group))
    if folder.is_dir():
        # an encoder's modules stand in folders of their own; a language model's are its checkpoints
        found = [*folder.iterdir(), *(folder.glob("*/*") if group == "encoder" else [])]
        return sorted(path for path in found if path.is_file() and path.suffix in _CONTENT)
    if config.revision is None:
        raise ModelError(
            f"{group}.revision: has no value for the hub's {config.name_or_path!r}, so that nothing says which weights "
            f"a result came from; set {group}.revision to a commit of it"
        )
    return []


def load_tokenizer(name_or_path: str, revision: str | None = None) -> Any:
    """The model's own tokenizer. Raises ModelError with the remedy when it cannot be had."""
    from transformers import AutoTokenizer

    with quiet(), explained(name_or_path, revision):
        return AutoTokenizer.from_pretrained(**source(name_or_path, revision))


def load(config: ModelConfig, device: str = "cpu") -> Any:
    """The causal language model, in evaluation mode, from safetensors alone. Raises ModelError with the remedy."""
    import torch
    from transformers import AutoModelForCausalLM

    with quiet(), explained(config.name_or_path, config.revision):
        where = source(config.name_or_path, config.revision)
        model: Any = AutoModelForCausalLM.from_pretrained(
            **where,
            dtype=getattr(torch, config.dtype),
            use_safetensors=True,
            adapter_kwargs={"local_files_only": where["local_files_only"]},
        )
        return model.to(device).eval()


def source(name_or_path: str, revision: str | None, group: str = "model") -> dict[str, Any]:
    """Where to load from. Without the hub, only its local cache is looked at."""
    found = resolve(name_or_path, group)
    local = Path(found).is_dir() or bool(why_no_hub())
    return {
        "pretrained_model_name_or_path": found,
        "revision": revision,
        "local_files_only": local,
        "trust_remote_code": False,
    }


def with_adapter(model: Any, folder: Path) -> Any:
    """The model with the LoRA adapter in `folder`, in evaluation mode. Raises ModelError when it does not fit."""
    import peft

    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"adapter={folder}: no adapter_config.json there; give a folder that PEFT has written")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = peft.PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"adapter={folder}: does not fit this base model ({_first_line(error)})") from error
    if any("missing adapter keys" in str(warning.message) for warning in caught):
        raise ModelError(f"adapter={folder}: does not fit this base model (weights are missing)")
    return loaded.eval()


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Lets torch use `count` threads meanwhile (None: as many as it did): the last bits of sums depend on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory, on a GPU or (where it is a plain RuntimeError) on the CPU."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and notes, which say nothing that a user of a study can act on."""
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
    """Turns what may go wrong on loading into one line with the remedy."""
    from safetensors import SafetensorError

    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        if not isinstance(error, OSError | ValueError | KeyError | ImportError | RuntimeError | SafetensorError):
            raise
        raise ModelError(
            f"{group}.name_or_path={name_or_path!r}: {_remedy(error, name_or_path, revision, group)}"
        ) from error


def _remedy(error: BaseException, name_or_path: str, revision: str | None, group: str) -> str:
    import huggingface_hub.errors as hub

    if is_out_of_memory(error):
        return "out of memory while loading; choose a smaller model" + (" or model.dtype=bfloat16" * (group == "model"))
    if "custom code" in str(error):
        return (
            "it needs code of its own, which is never run (trust_remote_code); choose a model that transformers knows"
        )
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
