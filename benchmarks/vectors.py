"""Dense search over growing numbers of vectors: `python benchmarks/vectors.py [100000 1000000 5000000]`.

The vectors are made: 384 dimensions, length 1, around 2,000 centres in a space of 32 dimensions, with noise in all
dimensions. The queries are made in the same way. `build` writes the FAISS index; `search` asks 200 queries for the
nearest ten, one by one, in the memory-mapped index; `exact` asks the same of all vectors. Each runs in a process of its
own. Shown are its seconds, its CPU seconds (Python's start included), its peak resident memory, the bytes of its file a
vector, milliseconds a query, and recall@10: the share of the exact ten nearest that the index finds.

`--folder` keeps the files, and a build that was killed continues there. One size needs 3 KB of disk a vector.

`--random` shows bytes and memory of sizes whose training takes hours: the centres of the lists and the codes are random
and the vectors are zero (a sparse file), so that `build` only writes the index, and nothing is exact.
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

from raft_exp.core.npy import write_header

WIDTH, LATENT, CENTRES, QUERIES, K, BLOCK = 384, 32, 2_000, 200, 10, 65_536
SIZES = (100_000, 1_000_000, 5_000_000)
USED = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print("USED", json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
BUILD = f"""
import json, sys
from pathlib import Path
from raft_exp.core.npy import Rows
from raft_exp.retrieval.vector_index import build_index
build_index(Rows(Path(sys.argv[1]) / "vectors.npy"), Path(sys.argv[1]) / "index.faiss")
{USED}
"""
SEARCH = f"""
import json, sys, time
from pathlib import Path
import numpy as np
from raft_exp.core.npy import Rows
from raft_exp.retrieval.nearest import Exact, Indexed
folder, kind = Path(sys.argv[1]), sys.argv[2]
vectors, queries = Rows(folder / "vectors.npy"), np.load(folder / "queries.npy")
pool = np.arange(len(vectors))
source = Exact(vectors, pool) if kind == "exact" else Indexed(vectors, pool, folder / "index.faiss")
start = time.monotonic()
hits = source.best(queries, 4 * {K})
print("MS", 1000 * (time.monotonic() - start) / len(queries))
(folder / f"{{kind}}.json").write_text(json.dumps([places[:{K}].tolist() for places, _ in hits]))
{USED}
"""


def made(generator: np.random.Generator, count: int) -> np.ndarray:
    """Returns `count` vectors of length 1. The centres are the same for every generator."""
    fixed = np.random.default_rng(0)
    centres = fixed.standard_normal((CENTRES, LATENT), dtype=np.float32)
    spread = fixed.standard_normal((LATENT, WIDTH), dtype=np.float32) / LATENT**0.5
    points = centres[generator.integers(CENTRES, size=count)]
    points = points + 0.6 * generator.standard_normal((count, LATENT), dtype=np.float32)
    vectors = points @ spread + 0.3 * generator.standard_normal((count, WIDTH), dtype=np.float32)
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def prepare(folder: Path, count: int) -> None:
    """Writes vectors.npy and queries.npy, unless an earlier run did."""
    if (folder / "queries.npy").exists():
        return
    generator = np.random.default_rng(1)
    with (folder / "vectors.npy").open("wb") as file:
        write_header(file, "<f4", (count, WIDTH))
        for start in range(0, count, BLOCK):
            file.write(made(generator, min(BLOCK, count - start)).tobytes())
    np.save(folder / "queries.npy", made(np.random.default_rng(2), QUERIES))


def prepare_random(folder: Path, count: int) -> None:
    """Writes the files of a build that was killed after all vectors were encoded, and the files of `prepare`."""
    import faiss

    generator, lists = np.random.default_rng(1), int(4 * count**0.5)
    with (folder / "vectors.npy").open("wb") as file:
        write_header(file, "<f4", (count, WIDTH))
        file.truncate(file.tell() + count * WIDTH * 4)
    np.save(folder / "queries.npy", made(np.random.default_rng(2), QUERIES))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(WIDTH), WIDTH, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    of_number = int(index.sa_code_size() - index.code_size)  # bytes of a list's number
    index.quantizer.add(made(generator, lists))
    index.train(made(generator, lists))  # only the ranges of the components, as the lists have their centres
    faiss.write_index(index, str(folder / "index.empty"))
    with (folder / "index.codes").open("wb") as file:
        for start in range(0, count, BLOCK):
            block = min(BLOCK, count - start)
            numbers = generator.integers(lists, size=block, dtype="<u8").view(np.uint8).reshape(block, 8)
            codes = generator.integers(256, size=(block, WIDTH), dtype=np.uint8)
            file.write(np.hstack([numbers[:, :of_number], codes]).tobytes())


def measured(program: str, *arguments: str) -> tuple[str, float, float, float]:
    """(output, seconds, CPU seconds, peak MiB) of a process."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.monotonic() - start
    cpu, peak = json.loads(done.stdout.rpartition("USED ")[2])
    return done.stdout, seconds, cpu, peak


def measure(folder: Path, count: int, random: bool) -> Iterator[str]:
    """The lines of one size."""
    (prepare_random if random else prepare)(folder, count)
    _, seconds, cpu, peak = measured(BUILD, str(folder))
    size = (folder / "index.faiss").stat().st_size / count
    yield f"{'build':<8} {seconds:>9.1f} {cpu:>9.1f} {peak:>9.0f} {size:>8.0f}"
    lines, found = [], {}
    for kind, file in (("search", "index.faiss"), ("exact", "vectors.npy"))[: 1 if random else 2]:
        output, seconds, cpu, peak = measured(SEARCH, str(folder), kind)
        size = (folder / file).stat().st_size / count
        ms = float(output.partition("MS ")[2].split()[0])
        lines.append(f"{kind:<8} {seconds:>9.1f} {cpu:>9.1f} {peak:>9.0f} {size:>8.0f} {ms:>9.1f}")
        found[kind] = json.loads((folder / f"{kind}.json").read_text())
    if random:
        yield lines[0]
        return
    shares = [len(set(near) & set(true)) / K for near, true in zip(found["search"], found["exact"], strict=True)]
    yield f"{lines[0]} {np.mean(shares):>9.3f}"
    yield lines[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES), help="vectors")
    parser.add_argument("--folder", type=Path, help="keeps the files here; without it they are temporary")
    parser.add_argument("--random", action="store_true", help="random codes, without training")
    arguments = parser.parse_args()
    columns = f"{'seconds':>9} {'CPU s':>9} {'peak MiB':>9} {'bytes':>8} {'ms/query':>9} {'recall':>9}"
    print(f"{'vectors':>10} {'what':<8} {columns}")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.folder / str(size) if arguments.folder else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            for line in measure(folder, size, arguments.random):
                print(f"{size:>10,} {line}", flush=True)


if __name__ == "__main__":
    main()
