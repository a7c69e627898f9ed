"""Files of a data set on the Hugging Face hub, through its cache: what was fetched once needs no network again."""

import ssl
import urllib.error
import urllib.request
from pathlib import Path

from raft_exp.errors import DataError

_PATIENCE = 5.0  # seconds for the hub's first word


def fetch(repo: str, revision: str, pattern: str) -> list[Path]:
    """The repository's files that match, sorted. DataError (one line) when they are neither cached nor reachable."""
    if cached := _cached(repo, revision, pattern):
        return cached
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise _unreachable(repo, pattern, "HF_HUB_OFFLINE is set and the files are not in the cache")
    # The client would retry a missing network for 23 seconds: ask first.
    if reason := _no_network(constants.ENDPOINT):
        raise _unreachable(repo, pattern, reason)
    try:
        folder = snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=[pattern])
    except Exception as error:  # httpx, hf_xet, OS, hub: whatever stopped it, the remedy is the same
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
    return _matching(folder, pattern)


def _matching(folder: str, pattern: str) -> list[Path]:
    return sorted(Path(folder).glob(pattern))


def _no_network(endpoint: str) -> str:
    """Why the hub does not answer; "" if it does, with whatever status."""
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=_PATIENCE).close()
    except urllib.error.HTTPError:
        return ""
    except OSError as error:
        reason = getattr(error, "reason", error)
        # The hub's client may trust other certificates than Python's own: let it decide.
        return "" if isinstance(reason, ssl.SSLError) else f"{endpoint} does not answer ({reason})"
    return ""


def _unreachable(repo: str, pattern: str, reason: str) -> DataError:
    return DataError(
        f"hub data set {repo!r} ({pattern}) cannot be fetched: {reason}; set corpus.path=DIR to a folder "
        "with the published files, or use a machine with network or with the data set in its hub cache (HF_HOME)"
    )
