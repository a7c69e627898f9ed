"""The files of Natural Questions: in a folder, on the hub or at the authors' addresses."""

from functools import partial
from pathlib import Path
from typing import Literal

from raft_exp.corpora.parts import Layout, Source, Sources
from raft_exp.corpora.readers import hub, web

Train = Literal["pages", "dpr"]
Test = Literal["10_documents", "20_documents", "30_documents", "oracle", "nq_open", "efficientqa", "pages"]

_PAGES = {
    "train": ("*simplified-nq-train*.jsonl", "nq-train-*.jsonl", "train-*-of-*.parquet", "*simplified-nq-*.jsonl"),
    "test": ("*nq-dev-*.jsonl", "validation-*-of-*.parquet"),
}
LAYOUT = Layout(
    "Natural Questions",
    {
        "train": {"pages": _PAGES["train"], "dpr": ("biencoder-nq-train.json",)},
        "test": {
            **{f"{k}_documents": (f"nq-open-{k}_total_documents_gold_at_*.jsonl",) for k in (20, 10, 30)},
            "oracle": ("nq-open-oracle.jsonl",),
            "pages": _PAGES["test"],
            "nq_open": ("NQ-open.dev.jsonl", "NQ-open.test.jsonl"),
            "efficientqa": ("NQ-open.efficientqa.*.jsonl",),
        },
    },
    several=frozenset({"pages"}),
)

_LOST = (
    "https://raw.githubusercontent.com/nelson-liu/lost-in-the-middle/29b8a6d042ce29abccee3db1a73171a107d7e6af/qa_data"
)
_OPEN = (
    "https://raw.githubusercontent.com/google-research-datasets/natural-questions/"
    "fb26a3073b1fe636c97302890a27b491d6530130/nq_open"
)
_ADDRESSES = {
    "dpr": "https://dl.fbaipublicfiles.com/dpr/data/retriever/biencoder-nq-train.json.gz",
    **{
        f"{k}_documents": f"{_LOST}/{k}_total_documents/nq-open-{k}_total_documents_gold_at_0.jsonl.gz"
        for k in (10, 20, 30)
    },
    "oracle": f"{_LOST}/nq-open-oracle.jsonl.gz",
    "nq_open": f"{_OPEN}/NQ-open.dev.jsonl",
    "efficientqa": f"{_OPEN}/NQ-open.efficientqa.dev.1.1.jsonl",
}
_SHARDS = {"train": 287, "test": 7}  # 200 MB each, about 1,070 pages


def from_published(repo: str, revision: str, train: str, test: str) -> Sources:
    """Returns both parts: Google's pages from the hub, other files from the authors' addresses.

    Files are downloaded when they are opened.
    """
    return Sources(_published(repo, revision, test, "test"), _published(repo, revision, train, "train"))


def _published(repo: str, revision: str, kind: str, part: str) -> Source:
    if kind != "pages":
        return Source((_ADDRESSES[kind],), web.fetch)
    split = "train" if part == "train" else "validation"
    names = (f"default/{split}-{number:05d}-of-{_SHARDS[part]:05d}.parquet" for number in range(_SHARDS[part]))
    return Source(tuple(names), partial(_shard, repo, revision), f"{repo} {split}")


def _shard(repo: str, revision: str, name: str) -> Path:
    (file,) = hub.fetch(repo, revision, name)
    return file
