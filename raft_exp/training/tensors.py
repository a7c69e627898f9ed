"""Writing safetensors so that a full disk is the same OSError as everywhere else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(path: Path, tensors: Mapping[str, Any], metadata: dict[str, str]) -> None:
    """Writes tensors (copies of them on the CPU). Raises OSError naming the file when it cannot be written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Copies, because safetensors refuses tensors that share memory, as AdamW's may.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(copies, path, metadata)
    except SafetensorError as error:  # its own type, also for what the operating system refused
        raise OSError(None, str(error), str(path)) from error
