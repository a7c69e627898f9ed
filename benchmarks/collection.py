"""Collections of growing size, ingested, indexed and searched by bm25: `python benchmarks/collection.py [10000 ...]`.

Made passages of 100 words, about as unevenly frequent as a language's, go through the stages of a study with retrieved
contexts. Each stage runs in a process of its own and is shown with its seconds, the CPU seconds and the peak resident
memory of its process, Python and its packages included (in `dataset` those of the tokenizer: some 500 MiB), and the
bytes of its files for each passage. `search` is the search alone, for 100 questions.

The files are temporary: set TMPDIR to a disk with 3 KB of space a passage.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bm25s.stopwords import STOPWORDS_EN

from raft_exp.core.records import write_jsonl

WORDS, VOCABULARY, QUESTIONS, K = 100, 2_000_000, 100, 10
LETTERS = str.maketrans("0123456789", "abcdefghij")  # words of letters: those with digits are split more slowly
SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
STUDY = (
    "+experiment=passages",
    "corpus.path=passages.jsonl",
    "corpus.questions=questions.jsonl",
    "model=tiny",
    "trainer=cpu",
    "evaluation.arms=[rag]",
    "evaluation.context=retrieved",
    f"evaluation.k={K}",
)
USED = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print("USED", json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
STAGE = f"from raft_exp.apps.cli import main; main()\n{USED}"
SEARCH = f"""
import sys, numpy as np
from itertools import islice
from pathlib import Path
from raft_exp.core.records import Question, read_jsonl
from raft_exp.retrieval.bm25 import Bm25
source = Bm25(Path(sys.argv[1]), np.arange(int(sys.argv[2])))
for question in read_jsonl(Path(sys.argv[3]) / "questions.jsonl", Question):
    list(islice(source.ranked(question), {K}))
{USED}
"""


def passages(count: int) -> Iterator[list[str]]:
    """The words of each passage; rank 1 is the commonest word, and the first ranks are stop words."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        ranks = (1 + (generator.zipf(1.15, WORDS) - 1) % VOCABULARY).tolist()
        yield [STOPWORDS_EN[rank - 1] if rank <= len(STOPWORDS_EN) else f"x{rank}".translate(LETTERS) for rank in ranks]


def prepare(folder: Path, count: int) -> None:
    """passages.jsonl, and questions of four words that stand in one passage; the first question is for training."""
    step, questions = count // (QUESTIONS + 1), []

    def rows() -> Iterator[dict[str, str]]:
        for number, words in enumerate(passages(count)):
            if number % step == 0 and len(questions) <= QUESTIONS:
                asked = [word for word in words if word not in STOPWORDS_EN][:4]
                row = {"id": f"q{number}", "question": " ".join(asked), "answers": asked[:1], "gold": [f"p{number}"]}
                questions.append({**row, "split": "test" if questions else "train"})
            sentences = [" ".join(words[start : start + 20]).capitalize() for start in range(0, WORDS, 20)]
            yield {"id": f"p{number}", "title": f"Page {number // 10}", "text": ". ".join(sentences) + "."}

    write_jsonl(folder / "passages.jsonl", rows())
    write_jsonl(folder / "questions.jsonl", questions)


def measured(folder: Path, program: str, *arguments: str) -> tuple[float, float, float]:
    """(seconds, CPU seconds, peak MiB) of a process."""
    start = time.monotonic()
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    cpu, peak = json.loads(done.stdout.rpartition("USED ")[2])
    return time.monotonic() - start, cpu, peak


def measure(count: int) -> Iterator[tuple[str, float, float, float, float]]:
    """(stage, seconds, CPU seconds, peak MiB, bytes a passage) of one size.

    The seconds of a stage are its own, without the start of Python, which the CPU seconds include.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count)
        for stage in ("ingest", "questions", "index", "dataset"):
            _, cpu, peak = measured(folder, STAGE, *STUDY, f"until={stage}", f"hydra.run.dir={stage}")
            rows = json.loads((folder / stage / "plan.json").read_text())
            plan = {row["stage"].partition("[")[0]: row for row in rows}
            made = {label: row["path"] for label, row in plan.items()}
            size = sum(file.stat().st_size for file in Path(made[stage]).rglob("*") if file.is_file())
            yield stage, plan[stage]["seconds"], cpu, peak, size / count
        yield "search", *measured(folder, SEARCH, made["index"], str(count), made["questions"]), 0.0
        audit = json.loads((Path(made["dataset"]) / "audit.json").read_text())
        assert audit["retrieval"]["gold"]["questions"] == QUESTIONS, "every question was searched"
        assert audit["retrieval"]["gold"]["mrr"] > 0.5, "and most found their passage"


def main() -> None:
    print(f"{'passages':>10} {'stage':<10} {'seconds':>9} {'CPU s':>9} {'peak MiB':>9} {'bytes':>9}")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES), help="passages")
    for size in parser.parse_args().sizes:
        for stage, seconds, cpu, peak, stored in measure(size):
            print(f"{size:>10,} {stage:<10} {seconds:>9.1f} {cpu:>9.1f} {peak:>9.0f} {stored:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
