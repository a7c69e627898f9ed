"""The stages of a study, built again in another process from the study's config.yaml."""

import logging
from pathlib import Path

from raft_exp.core.stage import Stage
from raft_exp.pipeline.store import open_store


class RebuiltStudy:
    """The settings, the store and the stages of a study (`stages`: by key), from its resolved config.

    `spread`: name of the engine that runs the tasks of spread stages: local, slurm or ray.
    """

    def __init__(self, config_file: Path) -> None:
        import yaml

        from raft_exp.pipeline import converted
        from raft_exp.pipeline.build import build
        from raft_exp.pipeline.fingerprints import Fingerprints
        from raft_exp.pipeline.parsing import parse

        self.values: dict[str, object] = yaml.safe_load(config_file.read_text(encoding="utf-8"))
        config = parse(self.values)
        self.store = open_store(config.store, config.local_store)
        self.spread = config.spread.name
        fingerprints = Fingerprints(self.store, save=False)
        models = converted.conversions(config, fingerprints)
        converted.use(models, self.store)
        self.stages: dict[str, Stage] = {stage.key: stage for stage in (*models, *build(config, fingerprints))}


def log_to_file(file: Path) -> None:
    """Appends log messages to `file`, and shows warnings on stderr. All processes of a run share the file."""
    logging.basicConfig(filename=file, level=logging.INFO, format="[%(asctime)s][%(name)s][%(levelname)s] %(message)s")
    screen = logging.StreamHandler()
    screen.setLevel(logging.WARNING)
    screen.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger().addHandler(screen)
