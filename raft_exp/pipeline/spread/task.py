"""`python -m raft_exp.pipeline.spread.task CONFIG INDEX COUNT PARENT FOLDER KEY...`: the process of one task.

Computes shard INDEX of COUNT of each stage KEY into the store, one after another. A model that several stages use stays
loaded. A failure is written to FOLDER/INDEX.error as JSON [message, exit status]. Without this file, a task that ended
early is lost (killed), and is started again.
"""

import contextlib
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from raft_exp.core import screen
from raft_exp.core.errors import ConfigError, RaftError
from raft_exp.core.files import write_atomically
from raft_exp.core.processes import end_with
from raft_exp.core.shards import Shard
from raft_exp.core.stage import Stage
from raft_exp.pipeline import gpus
from raft_exp.pipeline.rebuilt import RebuiltStudy, log_to_file
from raft_exp.pipeline.spread.shard_stage import shard_of, sharded
from raft_exp.pipeline.store import Store

_LOOK = 1.0  # seconds between two checks that the study still runs


def main() -> None:
    """Runs the task. PARENT is the process that started it, on the same machine."""
    screen.take_any_text()
    config_file, index, count, parent, folder, *keys = sys.argv[1:]
    end_with(int(parent))
    log_to_file(Path(config_file).with_name("raft_exp.log"))
    try:
        study = RebuiltStudy(Path(config_file))
        stages = _stages(study, keys)
        _end_with_study(study.store, stages[0])
        _compute(study, stages, Shard(int(index), int(count)))
    except RaftError as error:
        _fail(Path(folder), index, str(error) or type(error).__name__, error.status)
    except Exception as error:
        import traceback

        traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        log = Path(folder, f"{index}.log")
        _fail(Path(folder), index, f"task {int(index) + 1} of {count} failed ({reason}); see {log}", 1)


def _stages(study: RebuiltStudy, keys: Sequence[str]) -> list[Stage]:
    """Returns the stages with these keys. Raises ConfigError if the study has other keys on this machine."""
    if not set(keys) <= study.stages.keys():
        raise ConfigError(
            f"spread: on the machine {platform.node()} the stages of this study have other keys; install the same "
            "versions of raft_exp and its packages on all machines, and change no file that the settings name while "
            "the study runs"
        )
    return [study.stages[key] for key in keys]


def _compute(study: RebuiltStudy, stages: list[Stage], shard: Shard) -> None:
    store = study.store
    with gpus.claimed(gpus.needed(stages[0].config), within_job=study.spread == "local") as devices:
        os.environ.update(devices)  # CUDA reads them when it is first used
        for stage in stages:
            functions = sharded(stage)
            assert functions is not None, "the study starts tasks only for stages that can be sharded"
            store.ensure(shard_of(stage, functions, shard), store.call)


def _fail(folder: Path, index: str, message: str, status: int) -> None:
    write_atomically(folder / f"{index}.error", json.dumps([message, status]))
    sys.exit(status)


def _end_with_study(store: Store, stage: Stage) -> None:
    """Kills this process when the study has ended, also a study on another machine.

    The study holds the lock of the stage as long as it runs. A thread tries every second to acquire this lock, and
    kills this process as soon as it has the lock.
    """
    lock = store.path(stage).with_suffix(".lock")
    threading.Thread(target=_watch, args=(lock,), name="raft_exp study", daemon=True).start()


def _watch(file: Path) -> None:
    while True:
        with contextlib.suppress(Timeout), FileLock(file).acquire(timeout=0):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(_LOOK)


if __name__ == "__main__":
    main()
