"""Runs the first stages of a study in this process."""

from collections.abc import Collection, Iterable
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


def run(store: Path, *overrides: str, until: str = "dataset", only: Collection[str] = ()) -> dict[str, Path]:
    """Runs all stages up to `until`; returns stage label -> folder of its result.

    `only`: labels of stages; if not empty, runs these stages and those whose results they need.
    """
    kept = Store(store)
    stages = study_stages(store, *overrides, f"until={until}")
    needed = _with_inputs([stage for stage in stages if stage.label in only] if only else stages)
    return {stage.label: kept.ensure(stage, kept.call).path for stage in stages if stage.key in needed}


def _with_inputs(stages: Iterable[Stage]) -> set[str]:
    """The keys of stages and of all stages whose results they need."""
    needed, waiting = set[str](), list(stages)
    while waiting:
        stage = waiting.pop()
        if stage.key not in needed:
            needed.add(stage.key)
            checked = stage.check.inputs if stage.check else {}
            for value in (*stage.inputs.values(), *checked.values()):
                waiting += [value] if isinstance(value, Stage) else value.values()
    return needed
