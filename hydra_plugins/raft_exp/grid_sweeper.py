"""Hydra's basic sweeper, in which a job that fails or has an invalid configuration does not stop the other jobs.

At the end it prints a table of the jobs, writes their summary to the folder of the sweep, and logs the sweep to W&B.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from raft_exp.apps.sweep import jobs, objectives, space
from raft_exp.apps.sweep.folder import put_away
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.core.screen import Console, say
from raft_exp.reporting.wandb.tracker import check, log_sweep


class GridSweeper(BasicSweeper):
    """`hydra/sweeper=grid`: runs a study for each combination of the values on the command line."""

    def sweep(self, arguments: list[str]) -> list[jobs.Job]:
        """Runs the combinations, prints a table of the jobs and returns them.

        At the end, raises SweepError if a job failed or could not be composed. Raises ConfigError before the first job
        if the jobs log to W&B and W&B cannot be used.
        """
        words = space.with_params(arguments, self.params)
        parsed = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(words)
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        self._not_composed: list[str] = []
        self._page = False
        done: list[jobs.Job] = []
        for batch in self.split_arguments(parsed, self.max_batch_size):
            composed = [overrides for overrides in batch if self._composes(overrides)]
            if composed:
                if not done:
                    self._page = self._wants_page(composed[0])
                done += jobs.launch(self.hydra_context, self.launcher, self.config, composed, len(done))
        self._close(done, folder)
        return done

    def _composes(self, overrides: Sequence[str]) -> bool:
        """Returns whether Hydra can compose the configuration of a job. Prints the error if it cannot."""
        if error := jobs.composition_error(self.hydra_context, self.config, overrides):
            self._not_composed.append(" ".join(overrides))
            say(f"{error}; the sweep skips this job", error=True)
        return not error

    def _wants_page(self, overrides: Sequence[str]) -> bool:
        """Returns whether the sweep ends with a W&B Report.

        Raises ConfigError before the first job if the jobs log to W&B and W&B cannot be used.
        """
        try:
            first = objectives.study(self.hydra_context, self.config, overrides)
        except (ConfigError, OmegaConfBaseException):
            return False  # the job itself reports the error
        check(first.logger, first.makes_wandb_page(), sweep="")
        return first.report == "wandb"

    def _close(self, done: Sequence[jobs.Job], folder: Path) -> None:
        jobs.write_summary(folder, done)
        if done:
            Console().print(jobs.table(done))
        if planned := jobs.describe_planned(done):
            print(planned)
        finished = [job.folder for job in done if job.figure]
        if finished:
            say(f"compare: python -m raft_exp.report {folder}")
        log_sweep(folder, finished, self._page)
        failed = [f"#{job.number}" for job in done if job.status == "failed"]
        put_away(folder, done)
        if self._not_composed:
            raise SweepError(
                f"{len(self._not_composed)} of the sweep's jobs have an invalid configuration and did not run: "
                f"{'; '.join(self._not_composed)}" + (f"; jobs that failed: {' '.join(failed)}" if failed else "")
            )
        if failed:
            raise SweepError(
                f"{len(failed)} of {len(done)} jobs failed: {' '.join(failed)}; correct their errors and repeat the "
                "command: it runs only the missing stages"
            )
