"""Files that are whole or not there."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Writes a file beside its place and renames it: readers find the old text or the new one, never a half."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
