"""Runs the first stages of a study in this process."""

from pathlib import Path

from raft_exp.core.stage import Stage
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from tests.helpers.composing import compose


def study_stages(store: Path, *overrides: str) -> list[Stage]:
    """Returns the stages of a study without running them."""
    config = parse(compose(*overrides, f"store={store}"))
    return pipeline.build(config, Fingerprints(Store(config.store)))


def stages_of(*overrides: str) -> dict[str, Stage]:
    """Label -> stage of a study, in order. The keys do not depend on the content of local files."""
    made = pipeline.build(parse(compose(*overrides)), lambda files: {file.name: "" for file in files})
    return {stage.label: stage for stage in made}


def run(store: Path, *overrides: str, until: str = "dataset") -> dict[str, Path]:
    """Runs all stages up to `until`; returns stage label -> folder of its result."""
    kept = Store(store)

    stages = study_stages(store, *overrides, f"until={until}")
    return {stage.label: kept.ensure(stage, kept.call).path for stage in stages}
