"""A finished run of the embedded study in its smallest form, made once for the tests that use models."""

from importlib.util import find_spec
from pathlib import Path

from raft_exp import cli
from tests import studies
from tests.composing import compose

SMALL = (
    "+experiment=quickstart", "corpus.num_entities=60", "dataset.max_items=40", "trainer.max_steps=2",
    "trainer.batch_size=4", "trainer.threads=1", "trainer.validation_items=4", "evaluation.max_items=6",
    "evaluation.arms=[rag,raft]", "model.max_new_tokens=24", "~evaluation.conditions.k0", "~evaluation.conditions.k2",
)  # fmt: skip


def make(folder: Path, *overrides: str) -> Path:
    """The run folder; its store is `folder`/store."""
    run = folder / "run"
    run.mkdir(parents=True)
    chosen = (*SMALL, *overrides, f"store={folder / 'store'}")
    if find_spec("vllm") is None:
        cli.study(compose(*chosen), run, [])
        return run
    # vLLM cannot be loaded any more once bm25s has loaded numba, and other tests load it in this process
    done = studies.raft_exp(folder, *chosen, f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    return run
