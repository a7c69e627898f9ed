"""`python -m raft_exp.worker CONFIG LABEL OUT PARENT`: one stage in a process of its own.

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

_ERROR = "error.txt"


def in_own_process(config_file: Path, stage: Stage, out: Path) -> None:
    """Runs the stage in a child and waits. Raises RaftError with the child's own message."""
    command = [sys.executable, "-m", "raft_exp.worker", str(config_file), stage.label, str(out), str(os.getpid())]
    (out / _ERROR).unlink(missing_ok=True)
    status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    if status == 0:
        return
    message = (out / _ERROR).read_text() if (out / _ERROR).exists() else ""
    raise RaftError(message or f"{stage.label}: its process ended with status {status}; what it printed stands above")


def main() -> None:
    """Builds the study again from its resolved config and runs the one stage."""
    config_file, label, out, parent = sys.argv[1:5]
    _end_with(int(parent))
    try:
        run_stage(Path(config_file), label, Path(out))
    except RaftError as error:
        (Path(out) / _ERROR).write_text(str(error))
        sys.exit(2)


def run_stage(config_file: Path, label: str, out: Path) -> None:
    """Runs one stage of the study that `config_file` describes, into `out`."""
    import yaml

    from raft_exp import pipeline, runner, tracking
    from raft_exp.config import parse
    from raft_exp.store import Fingerprints, Store

    values = yaml.safe_load(config_file.read_text())
    config = parse(values)
    store = Store(config.store)
    tracking.activate(tracking.Tracker(config.logger, config.study, values, config_file.parent))
    stage = next(one for one in pipeline.build(config, Fingerprints(store, save=False)) if one.label == label)
    tracking.entering(stage.label)
    try:
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
