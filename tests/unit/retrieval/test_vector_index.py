"""The FAISS index is the one that FAISS itself writes, whatever was in memory at a time, and after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from raft_exp.core.npy import Rows
from raft_exp.retrieval import vector_index
from raft_exp.retrieval.vector_index import build_index

faiss = pytest.importorskip("faiss")


def made(count: int, width: int = 16, kinds: int = 0) -> np.ndarray:
    """Random vectors; with `kinds`, that many different ones."""
    generator = np.random.default_rng(count)
    vectors = generator.normal(size=(kinds or count, width)).astype(np.float32)
    return vectors[generator.integers(kinds, size=count)] if kinds else vectors


def in_memory(vectors: np.ndarray, file: Path) -> bytes:
    """The index that FAISS builds of all vectors at once."""
    count, width = vectors.shape
    lists = max(1, min(int(4 * count**0.5), count // 40))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors[:: max(1, count // (64 * lists))])
    for start in range(0, count, 8192):
        index.add(vectors[start : start + 8192])
    faiss.write_index(index, str(file))
    return file.read_bytes()


@pytest.mark.parametrize(("count", "kinds"), [(30, 0), (3_000, 0), (20_000, 0), (20_000, 2)])
def test_the_bytes_are_those_of_faiss_for_every_block(tmp_path, monkeypatch, count, kinds):
    vectors = made(count, kinds=kinds)  # of two kinds: most lists are empty
    np.save(tmp_path / "vectors.npy", vectors)
    wanted = in_memory(vectors, tmp_path / "wanted")
    for size in (1_000, 2**27):
        monkeypatch.setattr(vector_index, "_SORTED", size)
        build_index(Rows(tmp_path / "vectors.npy"), tmp_path / "index.faiss")
        assert (tmp_path / "index.faiss").read_bytes() == wanted
        assert {file.name for file in tmp_path.iterdir()} == {"vectors.npy", "wanted", "index.faiss"}
        (tmp_path / "index.faiss").unlink()


@pytest.mark.parametrize("largest", [500, 10**9])
def test_the_training_sample_has_a_largest_size(tmp_path, monkeypatch, largest):
    vectors, sizes = made(20_000), []
    train = faiss.IndexIVFScalarQuantizer.train
    monkeypatch.setattr(faiss.IndexIVFScalarQuantizer, "train", lambda self, x: (sizes.append(len(x)), train(self, x)))
    monkeypatch.setattr(vector_index, "_LARGEST_SAMPLE", largest)
    build_index(vectors, tmp_path / "index.faiss")
    assert sizes == [500 if largest == 500 else 20_000]


CHILD = """
import os, signal, sys
from pathlib import Path
from raft_exp.core.npy import Rows
from raft_exp.retrieval import vector_index
folder, where, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if where == "codes":
    class Killing(Rows):
        def __getitem__(self, items):
            global left
            if items.step is None:  # a block, not the sample
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(items)
    vector_index.build_index(Killing(folder / "vectors.npy"), folder / "index.faiss")
else:
    blocks = vector_index._blocks
    def killing(*arguments):
        for block in blocks(*arguments):
            yield block
            if (folder / "index.partial").exists():
                os.kill(os.getpid(), signal.SIGKILL)
    vector_index._blocks = killing
    vector_index.build_index(Rows(folder / "vectors.npy"), folder / "index.faiss")
"""


# killed before a block is encoded, or while the lists are written: then the last block, which is short, is made again
@pytest.mark.slow
@pytest.mark.parametrize(("where", "left"), [("codes", 0), ("codes", 2), ("lists", 3)])
def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path, monkeypatch, where, left):
    vectors = made(30_000)
    np.save(tmp_path / "vectors.npy", vectors)
    wanted = in_memory(vectors, tmp_path / "wanted")
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), where, str(left)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "index.empty").exists()
    with (tmp_path / "index.codes").open("ab") as codes:
        codes.write(b"half a block")
    encoded = []
    monkeypatch.setattr(vector_index, "track", lambda starts, *_: encoded.extend(starts) or starts)
    build_index(Rows(tmp_path / "vectors.npy"), tmp_path / "index.faiss")
    assert (tmp_path / "index.faiss").read_bytes() == wanted
    assert encoded[0] == 8192 * left


def test_a_build_that_was_killed_at_its_end_leaves_the_index_alone(tmp_path):
    vectors = made(2_000)
    np.save(tmp_path / "vectors.npy", vectors)
    build_index(Rows(tmp_path / "vectors.npy"), tmp_path / "index.faiss")
    whole = (tmp_path / "index.faiss").read_bytes()
    for suffix in ("codes", "empty", "training"):  # as before these files are deleted
        (tmp_path / f"index.{suffix}").write_bytes(b"left")
    build_index(Rows(tmp_path / "vectors.npy"), tmp_path / "index.faiss")
    assert (tmp_path / "index.faiss").read_bytes() == whole
    assert {file.name for file in tmp_path.iterdir()} == {"vectors.npy", "index.faiss"}
