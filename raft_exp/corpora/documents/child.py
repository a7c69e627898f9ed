"""`python -m raft_exp.corpora.documents.child SETTINGS SCRATCH PARENT`: reads documents one by one, within limits.

A line of JSON in ({name, path}), two out: the key of what is going to be read, then what it is. Ends with its parent,
and by itself (`last`) after a document that left much memory behind.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raft_exp.core.processes import end_with
from raft_exp.corpora.documents.extraction import Settings, extract, load, peak_mb
from raft_exp.corpora.readers.documents.document import UnreadableError

_MB = 1 << 20


def main() -> None:
    """Serves until there is nothing more to read."""
    settings, scratch = Settings(**json.loads(sys.argv[1])), Path(sys.argv[2])
    end_with(int(sys.argv[3]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    _limit(settings.memory_mb)
    before = peak_mb()

    def tell(said: str, **more: Any) -> None:
        os.write(told, (json.dumps({"said": said, **more}) + "\n").encode())

    tell("ready")
    for line in sys.stdin.buffer:
        try:
            header, anew = _served(json.loads(line), settings, scratch, tell)
        except Exception as error:  # the disk's trouble or ours, not the document's
            tell("failed", error=f"{type(error).__name__}: {error}"[:1000])
            return
        last = header.get("reason") == "too much memory" or peak_mb() - before > settings.memory_mb / 4
        tell("done", header=header, anew=anew, last=last)
        if last:
            return


def _served(
    job: dict[str, str], settings: Settings, scratch: Path, tell: Callable[..., None]
) -> tuple[dict[str, Any], bool]:
    try:
        data = load(job["path"], settings.file_mb * _MB)
        key = settings.key(job["name"], data)
        tell("key", key=key)
        return extract(job["name"], data, key, settings, scratch)
    except UnreadableError as refused:
        return {"reason": refused.reason, "detail": refused.detail}, False
    except MemoryError:
        return {"reason": "too much memory", "detail": f"more than corpus.limits.memory_mb={settings.memory_mb}"}, True


def _limit(memory_mb: int) -> None:
    """Of address space, beyond what this process has already."""
    import resource

    most = _now_mb() * _MB + memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _now_mb() -> int:
    """Address space of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") // _MB
    except OSError:
        return 0


if __name__ == "__main__":
    main()
