"""A study is killed or stopped at random moments; the same command must end in the same bytes, and nothing goes on."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.campaign.table import Row
from tests.helpers.command_line import KILLED, command, data_files, environment, marked_processes, raft_exp

AT_ONCE = 2
# signal -> how many studies, hits of each, and the exit status of a study that was hit
PLAN = {
    signal.SIGKILL: (6, 3, {-signal.SIGKILL}),
    signal.SIGTERM: (3, 2, {75, -signal.SIGTERM}),  # before the handler is there, the signal itself ends Python
    signal.SIGUSR1: (2, 2, {75, -signal.SIGUSR1}),
    signal.SIGINT: (2, 2, {1, 130, -signal.SIGINT}),
}


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Measures how long the study takes, then hits it at moments drawn from that time."""
    whole = folder / "whole"
    whole.mkdir()
    began = time.monotonic()
    done = raft_exp(whole, *KILLED)
    if done.returncode:
        raise RuntimeError(f"the study did not end: {done.stderr[-2000:]}")
    lasts, wanted = time.monotonic() - began, data_files(whole / "store")
    generator = random.Random(seed)
    for number, (studies, hits, statuses) in PLAN.items():
        row = Row(
            f"{number.name} at {hits} random moments of a study",
            "the hit study ends with its status and leaves no process; the same command ends in the same bytes",
        )
        moments = [[generator.random() * lasts for _ in range(hits)] for _ in range(studies)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            folders = [folder / f"{number.name}-{place}" for place in range(studies)]
            tried = [
                pool.submit(_problem, name, number, drawn, statuses, wanted)
                for name, drawn in zip(folders, moments, strict=True)
            ]
            for name, problem in zip(folders, tried, strict=True):
                row.add(name.name, problem.result())
        yield row


def _problem(
    folder: Path, number: signal.Signals, moments: list[float], statuses: set[int], wanted: Mapping[str, bytes]
) -> str:
    folder.mkdir()
    for moment in moments:
        mark = f"{folder.name}-{os.getpid()}"
        study = subprocess.Popen(
            command(*KILLED),
            cwd=folder,
            env=environment(RAFT_EXP_CAMPAIGN=mark),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            status = study.wait(moment)
        except subprocess.TimeoutExpired:
            study.send_signal(number)
            _, told = study.communicate(timeout=120)
            if study.returncode not in statuses | {0}:  # 0: it ended at that moment
                return f"status {study.returncode} after {moment:.2f} s: {told[-300:]}"
            if "Traceback" in told:
                return f"a traceback after {moment:.2f} s: {told[-300:]}"
        else:
            if status:
                return f"status {status} without a signal"
        time.sleep(0.5)
        if left := marked_processes(f"RAFT_EXP_CAMPAIGN={mark}"):
            return f"{len(left)} processes go on after {moment:.2f} s"
    done = raft_exp(folder, *KILLED)
    if done.returncode:
        return f"the same command ended with status {done.returncode}: {done.stderr[-300:]}"
    found = data_files(folder / "store")
    other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return f"other bytes: {', '.join(other[:3])}" if other else ""
