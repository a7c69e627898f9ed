"""The index of a collection, as the index stage writes it."""

from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.retrieval import word_index
from raft_exp.retrieval.text import searched_text


def write(folder: Path, collection: Passages) -> Path:
    (folder / "indexed").mkdir()
    word_index.write(folder / "indexed", (searched_text(passage) for passage in collection))
    return folder / "indexed"
