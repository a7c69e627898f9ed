"""Peak memory of building the data sets of a growing corpus: `python benchmarks/memory.py [1000 10000 100000]`.

Each size runs `until=dataset` on the almanac (all training questions, random distractors, one worker) in a process of
its own and prints that process's peak resident memory and seconds. The goal is a growth of a few bytes a passage.
"""

import argparse
import subprocess
import sys
import tempfile
import time

CHILD = (
    "import resource, sys; from raft_exp.apps.cli import main; main();"
    "print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def measure(entities: int) -> tuple[float, float]:
    """(peak MiB, seconds) of one size."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ("dataset.max_items=null", "dataset.distractors=random", "evaluation.distractors=random")
        command = [sys.executable, "-c", CHILD, "until=dataset", f"corpus.num_entities={entities}", *settings]
        start = time.monotonic()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - start
    return int(done.stdout.rpartition("PEAK ")[2]) / 1024, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="entities of the almanac")
    sizes = parser.parse_args().sizes
    print(f"{'entities':>10} {'peak MiB':>10} {'seconds':>9}")
    for size in sizes:
        peak, seconds = measure(size)
        print(f"{size:>10,} {peak:>10.0f} {seconds:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
