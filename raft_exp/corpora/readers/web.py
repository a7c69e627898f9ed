"""Published files outside the Hugging Face hub, downloaded once into the folder `raft_exp` of HF_HOME."""

import os
import shutil
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from raft_exp.core.errors import DataError

_TIMEOUT = 30.0  # seconds without a byte


def fetch(url: str) -> Path:
    """Returns the path of the cached file, which is downloaded first if it is missing.

    Raises DataError if the file is neither cached nor reachable.
    """
    from huggingface_hub import constants

    parts = urlsplit(url)
    file = Path(constants.HF_HOME) / "raft_exp" / parts.netloc / parts.path.lstrip("/")
    if file.exists():
        return file
    if constants.HF_HUB_OFFLINE:
        raise _unreachable(url, "it is not in the cache, and HF_HUB_OFFLINE is set")
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")  # another process may download the same file
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, partial.open("wb") as copy:
            shutil.copyfileobj(answer, copy)
            if answer.length:  # bytes that the server announced and did not send
                raise OSError(f"cut off, {answer.length} bytes are missing")
        return partial.replace(file)
    except (OSError, HTTPException) as error:
        message = str(getattr(error, "reason", error)).splitlines() or [type(error).__name__]
        raise _unreachable(url, message[0]) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _unreachable(url: str, reason: str) -> DataError:
    return DataError(
        f"{url} cannot be fetched: {reason}; copy the file to this machine and set corpus.path to its folder"
    )
