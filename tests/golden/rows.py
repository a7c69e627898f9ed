"""Writes the golden file anew: `python -m tests.golden.rows`. When one may: README.md here."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.stages import run

GOLDEN = Path(__file__).with_name("raft.jsonl")
SETTINGS = (
    "model=pocket",
    "corpus.num_entities=60",
    "corpus.validation=0",
    "evaluation.arms=[raft]",
    "seed=7",
    "dataset.p=0.5",
    "dataset.num_distractors=2",
    "dataset.max_items=12",
)


def made(store: Path) -> bytes:
    """The rows as they are built today."""
    return (run(store, *SETTINGS, only=["dataset[raft]"])["dataset[raft]"] / "rows.jsonl").read_bytes()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        GOLDEN.write_bytes(made(Path(folder)))
