"""A signal ends a study in one line, wherever it comes; nothing that a command started outlives it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from raft_exp.apps.console import COMMANDS
from tests.helpers.command_line import (
    SMALL,
    command,
    environment,
    marked_processes,
    raft_exp,
    run_folder,
    start,
    statuses,
    wait_for_file,
)

STUDY = (*SMALL, "evaluation.arms=[raft]", "~evaluation.conditions.k0", "~evaluation.conditions.k4")
SIGNS = {
    "ingest": ("store/ingest/*.partial", "corpus.num_entities=60000"),
    "dataset": ("store/dataset/*.partial/rows.jsonl", "corpus.num_entities=3000"),
    "train": ("store/train/*.partial/checkpoint.safetensors", "trainer.max_steps=400"),
    "evaluate": ("store/evaluate/*.partial/answers.jsonl", "evaluation.max_items=400"),
}


def stopped(folder: Path, number: int, sign: str, *more: str) -> tuple[int, str]:
    """Starts the study, sends the signal when the file is there; returns exit status and stderr."""
    running = start(folder, *STUDY, *more)
    wait_for_file(running, folder, sign)
    running.send_signal(number)
    status, _, told = running.finish()
    return status, told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "number"), [*((stage, signal.SIGTERM) for stage in SIGNS), ("train", signal.SIGUSR1)]
)
def test_a_signal_in_any_stage_is_one_line_and_status_75(tmp_path, stage, number):
    sign, longer = SIGNS[stage]
    status, told = stopped(tmp_path, number, sign, longer)
    assert status == 75, told
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("StoppedError: ")
    assert number.name in told.splitlines()[-1]


@pytest.mark.slow
def test_the_same_command_goes_on(tmp_path):
    assert stopped(tmp_path, signal.SIGTERM, SIGNS["train"][0], "trainer.max_steps=12")[0] == 75
    assert raft_exp(tmp_path, *STUDY, "trainer.max_steps=12").returncode == 0


def with_own_packages(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module`, which finds the packages in `folder` before all others."""
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.run(
        [sys.executable, "-m", module, "run"],
        cwd=folder,
        env=environment(PYTHONPATH=path),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background job ignores Ctrl-C
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 1, "stopped; the same command resumes from here"),
        (signal.SIGTERM, 75, "StoppedError: stopped by SIGTERM; the same command resumes from here"),
    ],
)
def test_a_signal_among_the_first_imports_is_one_line(tmp_path, number, status, line):
    """The signal comes when the first heavy package is imported."""
    (tmp_path / "hydra.py").write_text(f"import os, time\nos.kill(os.getpid(), {int(number)})\ntime.sleep(30)\n")
    done = with_own_packages("raft_exp", tmp_path)
    assert (done.returncode, done.stderr.strip()) == (status, line)


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_among_the_first_imports_of_any_command_is_one_line(tmp_path, name):
    (tmp_path / "pydantic.py").write_text("import os, time\nos.kill(os.getpid(), 2)\ntime.sleep(30)\n")
    done = with_own_packages(f"raft_exp.{name}", tmp_path)
    assert (done.returncode, done.stderr.strip()) == (1, "stopped; the same command resumes from here")


@pytest.mark.slow
@pytest.mark.parametrize(
    "streams", ["2>&1 | head -1", "2>/dev/null | head -1", "2>&1 >/dev/null | head -1", ">&- 2>&-"]
)
def test_a_reader_that_leaves_ends_nothing(tmp_path, streams):
    line = shlex.join(command(*SMALL, "until=targets"))
    script = f"set -o pipefail; {line} {streams}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0
    assert set(statuses(run_folder(tmp_path)).values()) == {"ran"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the processes are found in /proc")
@pytest.mark.skipif(find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs the extra [launchers]")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_jobs_of_a_launcher_end_with_their_command(tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the tests run under nohup, whose processes ignore SIGHUP")
    mark = f"RAFT_EXP_TEST_MARK={tmp_path.name}-{os.getpid()}-{int(number)}"
    name, _, value = mark.partition("=")
    sweep = ("-m", *STUDY, "launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,2", "trainer.max_steps=4000")
    started = subprocess.Popen(
        command(*sweep),
        cwd=tmp_path,
        env=environment(**{name: value}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 180
    while len(list(tmp_path.glob("store/train/*.partial/checkpoint.safetensors"))) < 2:
        assert started.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert len(marked_processes(mark)) > 2
    started.send_signal(number)
    started.wait(60)
    limit = time.monotonic() + 20
    while left := marked_processes(mark):
        assert time.monotonic() < limit, f"{len(left)} processes go on"
        time.sleep(0.2)
