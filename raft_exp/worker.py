"""`python -m raft_exp.worker CONFIG KEY OUT PARENT PIPE`: one stage in a process of its own.

So GPU memory is given back when the stage ends, DDP ranks that are started again by Lightning run this one stage and
not a whole sweep, and every process has one W&B run.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from raft_exp.errors import RaftError
from raft_exp.stage import Stage


def in_own_process(config_file: Path, stage: Stage, out: Path) -> None:
    """Runs the stage in a child and waits. Raises RaftError with the child's own message."""
    reading, writing = os.pipe()  # not a file: the disk may be what is full
    arguments = [str(config_file), stage.key, str(out), str(os.getpid()), str(writing)]
    with subprocess.Popen(
        [sys.executable, "-m", "raft_exp.worker", *arguments], stdin=subprocess.DEVNULL, pass_fds=[writing]
    ) as child:
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as told:
            message = told.read()
    if child.returncode:
        trouble = f"{stage.label}: its process ended with status {child.returncode}; what it printed stands above"
        raise RaftError(message or trouble)


def main() -> None:
    """Builds the study again from its resolved config and runs the one stage."""
    config_file, key, out, parent, tell = sys.argv[1:6]
    _end_with(int(parent))
    try:
        run_stage(Path(config_file), key, Path(out))
    except RaftError as error:
        try:
            os.write(int(tell), str(error).encode())
        except OSError:  # a DDP rank has no pipe of its own
            print(error, file=sys.stderr)
        sys.exit(2)


def run_stage(config_file: Path, key: str, out: Path) -> None:
    """Runs one stage of the study that `config_file` describes, into `out`."""
    import yaml

    from raft_exp import pipeline, runner, tracking
    from raft_exp.config import parse
    from raft_exp.store import Fingerprints, Store

    values = yaml.safe_load(config_file.read_text())
    config = parse(values)
    store = Store(config.store)
    tracking.activate(tracking.Tracker(config.logger, config.study, values, config_file.parent))
    stage = next(one for one in pipeline.build(config, Fingerprints(store, save=False)) if one.key == key)
    tracking.entering(stage.label)
    try:
        with store.guarded():
            stage.function(stage.config, **runner.paths(store, stage), out=out)
    finally:
        tracking.finish()


def _end_with(parent: int) -> None:
    """A killed study takes its stage along: two of them must never write into one folder."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    # DDP ranks are children of rank 0's process, not of the study's
    if os.getppid() != parent and "LOCAL_RANK" not in os.environ:
        sys.exit(f"the study that started this stage (process {parent}) has ended")


if __name__ == "__main__":
    main()
