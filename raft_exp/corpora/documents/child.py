"""`python -m raft_exp.corpora.documents.child SETTINGS SCRATCH PARENT`: reads documents one by one, within limits.

Input: one JSON line {name, path} per document. Output: JSON lines (`Reply`), first "ready", then two for most
documents: the cache key before the text is extracted, and the result. A file that cannot be loaded has only the result
line. An error that the document did not cause gives a line "failed" and ends the process. The process also ends with
its parent, and after a document that leaves much memory in use, whose result is marked as `last`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from raft_exp.core.processes import end_with
from raft_exp.corpora.documents.extraction import Header, Settings, extract, load, peak_mb
from raft_exp.corpora.readers.documents.document import UnreadableError

_MB = 1 << 20


def main() -> None:
    """Reads documents until the input ends."""
    settings, scratch = Settings(**json.loads(sys.argv[1])), Path(sys.argv[2])
    end_with(int(sys.argv[3]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # prints of a library must not mix with replies
    _limit(settings.memory_mb)
    before = peak_mb()

    def send(kind: str, **fields: object) -> None:
        os.write(output, (json.dumps({"kind": kind, **fields}) + "\n").encode())

    send("ready")
    for line in sys.stdin.buffer:
        try:
            header, anew = _read(json.loads(line), settings, scratch, send)
        except Exception as error:  # a fault of the disk or of this code, not of the document
            send("failed", error=f"{type(error).__name__}: {error}"[:1000])
            return
        last = header.get("reason") == "too much memory" or peak_mb() - before > settings.memory_mb / 4
        send("done", header=header, anew=anew, last=last)
        if last:
            return


def _read(
    document: dict[str, str], settings: Settings, scratch: Path, send: Callable[..., None]
) -> tuple[Header, bool]:
    try:
        data = load(document["path"], settings.file_mb * _MB)
        key = settings.key(document["name"], data)
        send("key", key=key)
        return extract(document["name"], data, key, settings, scratch)
    except UnreadableError as error:
        return {"reason": error.reason, "detail": error.detail}, False
    except MemoryError:
        return {"reason": "too much memory", "detail": f"more than corpus.limits.memory_mb={settings.memory_mb}"}, True


def _limit(memory_mb: int) -> None:
    """Limits the address space to the present size plus `memory_mb` MB, and switches core dumps off."""
    import resource

    limit = _now_mb() * _MB + memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _now_mb() -> int:
    """Returns the address space of this process in MB; 0 on systems without /proc."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE") // _MB
    except OSError:
        return 0


if __name__ == "__main__":
    main()
