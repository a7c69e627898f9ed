"""The files of TriviaQA: in a folder, on the hub or at DPR's addresses."""

from pathlib import Path
from typing import Literal

from raft_exp.core.errors import DataError
from raft_exp.corpora.parts import Layout, Source, Sources
from raft_exp.corpora.readers import hub, web

Train = Literal["dpr", "wikipedia", "web", "unfiltered"]
Test = Literal["dpr", "verified_wikipedia", "verified_web", "wikipedia", "web", "unfiltered", "retrieved", "open"]

_HOME = "https://nlp.cs.washington.edu/triviaqa/"
_DPR = "https://dl.fbaipublicfiles.com/dpr/data/retriever"
_ADDRESSES = {
    ("train", "dpr"): f"{_DPR}/biencoder-trivia-train.json.gz",
    ("test", "dpr"): f"{_DPR}/biencoder-trivia-dev.json.gz",
    ("test", "open"): f"{_DPR}/trivia-test.qa.csv.gz",
}
_SUBSETS = {"wikipedia": "rc.wikipedia", "web": "rc.web", "unfiltered": "unfiltered"}  # folders on the hub

LAYOUT = Layout(
    "TriviaQA",
    {
        "train": {
            "dpr": ("biencoder-trivia-train.json", "*trivia*golden*.jsonl"),
            "wikipedia": ("wikipedia-train.json", "rc.wikipedia/train-*.parquet"),
            "web": ("web-train.json", "rc.web/train-*.parquet"),
            "unfiltered": ("unfiltered-web-train.json", "unfiltered/train-*.parquet"),
        },
        "test": {
            "dpr": ("biencoder-trivia-dev.json",),
            "verified_wikipedia": ("verified-wikipedia-dev.json",),
            "verified_web": ("verified-web-dev.json",),
            "wikipedia": ("wikipedia-dev.json", "rc.wikipedia/validation-*.parquet"),
            "web": ("web-dev.json", "rc.web/validation-*.parquet"),
            "unfiltered": ("unfiltered-web-dev.json", "unfiltered/validation-*.parquet"),
            "retrieved": ("*trivia*retrieved*.jsonl",),
            "open": ("trivia-test.qa.csv", "test.jsonl"),
        },
    },
    several=frozenset(_SUBSETS),
    on_request=frozenset({"unfiltered", "retrieved", "open"}),  # they need another evaluation.context
)


def from_published(repo: str, revision: str, train: str, test: str) -> Sources:
    """Returns both parts: from the hub (wikipedia, web, unfiltered) or from DPR's addresses (dpr, open).

    Files of the hub are downloaded at once, those of DPR when they are opened. Raises DataError for a part that is only
    in the authors' archive.
    """
    return Sources(_published(repo, revision, "test", test), _published(repo, revision, "train", train))


def _published(repo: str, revision: str, part: str, kind: str) -> Source:
    if address := _ADDRESSES.get((part, kind)):
        return Source((address,), web.fetch)
    if kind not in _SUBSETS:
        raise DataError(
            f"corpus.{part}: got {kind!r}, which cannot be downloaded as a single file; fetch the archives of {_HOME}, "
            "unpack them and set corpus.path=DIR"
        )
    split = "train" if part == "train" else "validation"
    files = hub.fetch(repo, revision, f"{_SUBSETS[kind]}/{split}-*.parquet")
    return Source(tuple(map(str, files)), Path, f"{repo} {_SUBSETS[kind]} {split}")
