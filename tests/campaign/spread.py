"""Tasks of a spread study, and the study itself, are killed at random moments; the result is that of one process."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.campaign.table import Row
from tests.helpers.command_line import command, data_files, environment, marked_processes, raft_exp

STUDIES, TASKS = 2, 2
HITS = ("task",) * 8 + ("study",) * 2  # of each study: 20 kills
_MOST = 3  # kills of a task in one stage: the study ends when a task is lost more often
PATIENCE = 600  # seconds
_TASK = b"raft_exp.pipeline.spread.task"


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Makes the rows of a study in one process, then in tasks that are killed."""
    study, whole = _study(folder), folder / "whole"
    whole.mkdir()
    began = time.monotonic()
    done = raft_exp(whole, *study)
    if done.returncode:
        raise RuntimeError(f"the study did not end: {done.stderr[-2000:]}")
    lasts, wanted = time.monotonic() - began, data_files(whole / "store")
    spread = (*study, f"spread.tasks={TASKS}")
    row = Row(
        f"{HITS.count('task')} tasks and {HITS.count('study')} times the study (SIGKILL) at random moments, with "
        f"spread.tasks={TASKS}",
        "no process goes on without the study; the study ends in the bytes of one process",
    )
    generator = random.Random(seed)
    for number in range(STUDIES):
        place = folder / f"killed-{number}"
        place.mkdir()
        row.add(place.name, _problem(place, spread, generator, lasts, wanted))
    yield row


def _study(folder: Path) -> tuple[str, ...]:
    """The rows of 4,000 passages and 200 questions, with distractors by bm25."""
    years = {number: 1000 + number * 7 % 900 for number in range(4000)}
    passages = [
        {"id": f"p{number}", "text": f"The mill of town {number} was built in {year}. It lies on river {number % 90}."}
        for number, year in years.items()
    ]
    questions = [
        {"id": f"q{number}", "question": f"When was the mill of town {number} built?", "answers": [str(years[number])]}
        | {"gold": [f"p{number}"], "split": "test" if number % 4 == 0 else "train"}
        for number in range(200)
    ]
    for name, rows in (("passages", passages), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return (
        "model=tiny",
        "trainer.threads=1",
        "corpus=passages",
        f"corpus.path={folder / 'passages.jsonl'}",
        f"corpus.questions={folder / 'questions.jsonl'}",
        "dataset.distractors=bm25",
        "evaluation.distractors=bm25",
        "evaluation.arms=[rag,raft]",
        "evaluation.conditions=null",
        "until=dataset",
    )


def _problem(
    folder: Path, study: tuple[str, ...], generator: random.Random, lasts: float, wanted: Mapping[str, bytes]
) -> str:
    mark = f"RAFT_EXP_CAMPAIGN={folder.name}-{os.getpid()}"
    hits = generator.sample(HITS, len(HITS))
    running, killed = _start(folder, study, mark), Counter[bytes]()
    for hit in hits:
        time.sleep(generator.random() * lasts / 2)
        if hit == "study":
            running.kill()
            running.wait()
            if not _reached(lambda: not marked_processes(mark)):
                return f"{len(marked_processes(mark))} processes go on without the study"
            running = _start(folder, study, mark)
            continue
        while not _kill_a_task(mark, generator, killed):
            if running.poll() is not None:
                if running.returncode:
                    return f"status {running.returncode}: {_said(folder)}"
                if other := _other(folder, wanted):
                    return other
                shutil.rmtree(folder / "store")  # it ended before this hit
                running = _start(folder, study, mark)
            time.sleep(0.02)
    if status := running.wait(PATIENCE):
        return f"status {status}: {_said(folder)}"
    if not _reached(lambda: not marked_processes(mark)):
        return "processes go on after the study"
    if any((folder / "store" / "shards").iterdir()):
        return "shards stay in the store"
    return _other(folder, wanted)


def _start(folder: Path, study: tuple[str, ...], mark: str) -> "subprocess.Popen[bytes]":
    name, value = mark.split("=")
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(
            command(*study), cwd=folder, env=environment(**{name: value}), stdout=subprocess.DEVNULL, stderr=said
        )


def _said(folder: Path) -> str:
    return (folder / "said").read_text(encoding="utf-8")[-300:]


def _kill_a_task(mark: str, generator: random.Random, killed: Counter[bytes]) -> bool:
    """Kills one of the tasks that run and were not killed too often (`killed`). Returns False if there is none."""
    tasks = {pid: words for pid in marked_processes(mark) if _TASK in (words := _words(pid))}
    often = sorted(pid for pid, words in tasks.items() if killed[words] < _MOST)
    with contextlib.suppress(IndexError, ProcessLookupError):
        os.kill(pid := generator.choice(often), signal.SIGKILL)
        killed[tasks[pid]] += 1
        return True
    return False


def _words(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:  # the process has ended
        return b""


def _reached(condition: Callable[[], bool]) -> bool:
    """Waits until the condition is true. Returns False after a time."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _other(folder: Path, wanted: Mapping[str, bytes]) -> str:
    """Returns which files have other bytes than those of one process; "" if none has."""
    found = data_files(folder / "store")
    other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return f"other bytes: {', '.join(other[:3])}" if other else ""
