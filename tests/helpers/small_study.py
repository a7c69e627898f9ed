"""A finished run of the embedded study at its smallest size, run once for the tests that use models."""

from pathlib import Path

from raft_exp.apps import cli
from tests.helpers.composing import compose

SMALL = (
    "+experiment=quickstart",
    "corpus.num_entities=60",
    "dataset.max_items=40",
    "trainer.max_steps=2",
    "trainer.batch_size=4",
    "trainer.threads=1",
    "trainer.validation_items=4",
    "evaluation.max_items=6",
    "evaluation.arms=[rag,raft]",
    "model.max_new_tokens=24",
    "evaluation.conditions=null",
)


def make(folder: Path, *overrides: str) -> Path:
    """The run folder; its store is `folder`/store."""
    run = folder / "run"
    run.mkdir(parents=True)
    chosen = (*SMALL, *overrides, f"store={folder / 'store'}")
    cli.study(compose(*chosen), run, [])
    return run
