"""Writes safetensors files. A failure raises OSError, as with files of other formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def write(path: Path, tensors: "Mapping[str, Tensor]", metadata: dict[str, str]) -> None:
    """Writes copies of the tensors to `path`. Raises OSError, with the file's name, if the file cannot be written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Copies, because safetensors refuses tensors that share memory, as AdamW's may.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(copies, path, metadata)
    except SafetensorError as error:  # safetensors wraps errors of the operating system
        raise OSError(None, str(error), str(path)) from error
