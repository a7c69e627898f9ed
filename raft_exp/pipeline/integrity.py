"""Writes the files of a result to the disk with their checksums, and checks them before they are used."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

MANIFEST = "manifest.json"


class FileRecord(TypedDict):
    """The entry of one file in a manifest."""

    size: int  # bytes
    sha256: str


_checked: dict[Path, tuple[int, int]] = {}  # size and modification time of each file that passed a check


def seal(folder: Path) -> dict[str, FileRecord]:
    """Writes all files under `folder` to the disk (fsync). Returns the record of each file by its relative path."""
    records: dict[str, FileRecord] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            records[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": digest}
            _remember(path)
    for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        sync_folder(path)
    return records


def sync_folder(folder: Path) -> None:
    """Writes the list of names in a folder to the disk (fsync). Does nothing on systems other than POSIX."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def damages(folder: Path, records: Mapping[str, FileRecord]) -> list[str]:
    """Returns a line for each file that differs from its record: `adapter_model.safetensors: changed content`.

    A file that this process has checked before is read again only if its size or modification time has changed.
    """
    return [f"{name}: {damage}" for name, record in records.items() if (damage := _damage(folder / name, record))]


def _damage(path: Path, record: FileRecord) -> str:
    try:
        if path.stat().st_size != record["size"]:
            return f"{path.stat().st_size:,} bytes instead of {record['size']:,}"
        if _checked.get(path) == _state(path):
            return ""
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != record["sha256"]:
                return "changed content"
    except OSError as error:
        return error.strerror or str(error)
    _remember(path)
    return ""


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _remember(path: Path) -> None:
    _checked[path] = _state(path)


def digest_of(manifest: Mapping[str, object]) -> str:
    """Returns the SHA-256 of a manifest without its field `digest`."""
    values = {name: value for name, value in manifest.items() if name != "digest"}
    plain = json.loads(json.dumps(values))  # JSON's types, as in the file: lists instead of tuples
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
