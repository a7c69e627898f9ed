"""Hydra's basic sweeper, but a combination that cannot be composed fails alone and not the whole sweep.

Hydra takes sweepers only from the package `hydra_plugins`.
"""

import sys
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException

from raft_exp.errors import ConfigError
from raft_exp.hydra_errors import explained


class GridSweeper(BasicSweeper):
    """`hydra/sweeper=grid`: every combination of the values given."""

    def sweep(self, arguments: list[str]) -> Any:
        """Runs the combinations; raises ConfigError at the end when some could not be composed."""
        self.refused: list[str] = []
        returns = super().sweep(arguments)
        if self.refused:
            raise ConfigError(
                f"{len(self.refused)} of the sweep's jobs could not be composed: {'; '.join(self.refused)}"
            )
        return returns

    def validate_batch_is_legal(self, batch: Any) -> None:
        """Takes the combinations out that do not compose, and says so."""
        assert self.hydra_context is not None
        assert self.config is not None
        for overrides in list(batch):
            try:
                self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            except HydraException as error:
                batch.remove(overrides)
                self.refused.append(" ".join(overrides))
                print(f"ConfigError: {explained(error)}; this job of the sweep is left out", file=sys.stderr)
