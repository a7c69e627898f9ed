"""Choosing passages, beside named peers: `python benchmarks/dataset.py [--questions 100000] [--json FILE]`.

sampling: contexts by chance (p=0.7, 3 distractors, order), nothing rendered, beside a plain writing of the published
PubMedQA notebook's loop over a `datasets` object: for each question it lists all sections of other articles, draws
three by `random.sample` and tosses a coin of p. 500 real questions (where RAFT_EXP_TEST_DATA is set) and made ones.
Of the made ones the notebook does `--peer-questions` and its time is scaled to all: its work for one question does not
depend on which one it is.

mining: four dense distractors at a relative margin of 0.05, from vectors that both sides are given, beside
sentence-transformers' `mine_hard_negatives` with its defaults. One passage in ten is a copy of another in other case
and white space. Counted: distractors with the text of the gold (`gold`), with a text that the row has already
(`twice`), and places left empty (`few`).

Every contender runs in a process of its own with the same number of threads. Peak is the process's largest resident
memory, base what its packages took before the work. CPU seconds are there for machines that do other work as well.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mining
import sampling

SUBJECTS = {"sampling": sampling, "mining": mining}


def child(subject: str, contender: str, folder: Path, most: int) -> None:
    """One contender, in this process; prints its figures."""
    import datasets  # noqa: F401  what both sides of a subject need is in the base
    import torch

    if contender == "mine_hard_negatives":
        import sentence_transformers  # noqa: F401
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    base = _peak()
    figures = SUBJECTS[subject].CONTENDERS[contender](folder, most)
    print("FIGURES " + json.dumps({"base_mib": base, **figures, "peak_mib": _peak()}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(subject: str, prepare: Callable[[Path], int], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Figures of both contenders on the same prepared files."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        count = prepare(Path(name))
        for contender in SUBJECTS[subject].CONTENDERS:
            command = [sys.executable, __file__, "--child", subject, contender, name, str(options.peer_questions)]
            environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "TQDM_DISABLE": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            figures = json.loads(done.stdout.rpartition("FIGURES ")[2])
            rows.append({"subject": subject, "questions": count, "contender": contender, **figures})
            print(_line(rows[-1]), flush=True)
    wall, cpu = (rows[1][name] / rows[0][name] for name in ("seconds", "cpu_seconds"))
    memory = rows[0]["peak_mib"] / rows[1]["peak_mib"]
    print(f"{'':20}{wall:.1f} times as fast ({cpu:.1f} in CPU time), {memory:.2f} of its peak memory\n")
    return rows


def _line(row: dict[str, Any]) -> str:
    faults = [str(row.get(name, "")) for name in ("gold_again", "twice", "too_few")]
    note = f"  scaled from {row['rows']:,}" if row.get("of", row["rows"]) != row["rows"] else ""
    figures = f"{row['seconds']:>10.2f}{row['cpu_seconds']:>10.2f}{row['base_mib']:>10.0f}{row['peak_mib']:>10.0f}"
    named = f"{row['subject']:<9}{row['questions']:>9,}  {row['contender']:<20}"
    return named + figures + "".join(f"{fault:>8}" for fault in faults) + note


def main() -> None:
    parser = argparse.ArgumentParser(description="Choosing passages, beside named peers.")
    parser.add_argument("--questions", type=int, default=100_000, help="made questions (and, for mining, passages)")
    parser.add_argument("--peer-questions", type=int, default=1_000, help="made questions that the notebook does")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=SUBJECTS)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    heads = "".join(f"{name:>10}" for name in ("seconds", "CPU", "base MiB", "peak MiB"))
    print(f"{'subject':<9}{'questions':>9}  {'':<20}{heads}{'gold':>8}{'twice':>8}{'few':>8}")
    data, rows = os.environ.get("RAFT_EXP_TEST_DATA"), []
    if options.only != "mining":
        tables = [sampling.real(Path(data))] if data else []
        for table in [*tables, sampling.made(options.questions)]:
            rows += compare("sampling", partial(sampling.prepare, rows=table), options)
    if options.only != "sampling":
        rows += compare("mining", partial(mining.prepare, count=options.questions), options)
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
