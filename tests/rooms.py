"""Runs the first rooms of a study as the command line would, in this process."""

from pathlib import Path

from raft_exp import pipeline
from raft_exp.config import parse
from raft_exp.runner import paths
from raft_exp.store import Fingerprints, Store
from tests.composing import compose


def run(store: Path, *overrides: str, until: str = "dataset") -> dict[str, Path]:
    """Stage label -> folder of its result, for every stage up to `until`."""
    config = parse(compose(*overrides, f"store={store}", f"until={until}"))
    kept = Store(config.store)

    def execute(stage, out):
        stage.function(stage.config, **paths(kept, stage), out=out)

    stages = pipeline.build(config, Fingerprints(kept))
    return {stage.label: kept.ensure(stage, execute).path for stage in stages}
