"""Files of a dataset on the Hugging Face hub, through its cache. A cached file needs no network."""

import re
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.core.hub import why_no_hub

_SHARDS = re.compile(r"-of-(\d+)\.")


def fetch(repo: str, revision: str, pattern: str) -> list[Path]:
    """Returns the repository's files that match `pattern`, sorted.

    Raises DataError if the files are neither cached nor reachable, or if no file matches.
    """
    if cached := _cached(repo, revision, pattern):
        return cached
    from huggingface_hub import snapshot_download

    if reason := why_no_hub():
        raise _unreachable(repo, pattern, f"it is not in the cache, and {reason}")
    try:
        folder = snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=[pattern])
    except Exception as error:  # of httpx, hf_xet, the OS or the hub: the remedy is the same
        raise _unreachable(repo, pattern, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}") from error
    if files := _matching(folder, pattern):
        return files
    raise DataError(
        f"hub data set {repo!r} at revision {revision!r} has no {pattern}; check corpus.repo and corpus.revision"
    )


def _cached(repo: str, revision: str, pattern: str) -> list[Path]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            repo, repo_type="dataset", revision=revision, allow_patterns=[pattern], local_files_only=True
        )
    except LocalEntryNotFoundError:
        return []
    files = _matching(folder, pattern)
    # After an interrupted download, some of the files `...-00000-of-00003.parquet` may be missing.
    shards = max((int(count[1]) for file in files if (count := _SHARDS.search(file.name))), default=0)
    return files if len(files) >= shards or "*" not in pattern else []


def _matching(folder: str, pattern: str) -> list[Path]:
    return sorted(Path(folder).glob(pattern))


def _unreachable(repo: str, pattern: str, reason: str) -> DataError:
    return DataError(
        f"hub data set {repo!r} ({pattern}) cannot be fetched: {reason}; set corpus.path=DIR to a folder "
        "with the published files, or use a machine with access to the hub, or with the data set in its hub cache "
        "(HF_HOME)"
    )
