"""Computes the work that the paper still needs, and its expected time: measured in earlier runs, else estimated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from raft_exp.apps.paper.sweeps import PaperSweep
from raft_exp.apps.plan.devices import Device, DeviceName, device
from raft_exp.apps.plan.figures import Figure, LeftOut
from raft_exp.apps.plan.footprint import Footprint
from raft_exp.apps.plan.hours import stage_seconds
from raft_exp.apps.plan.model import sizes
from raft_exp.apps.plan.study import PlannedStudy, open_study
from raft_exp.apps.plan.tokens import processes_of
from raft_exp.core.errors import DataError
from raft_exp.core.stage import Stage
from raft_exp.pipeline import converted
from raft_exp.pipeline.estimate import ExpectedSeconds

ON_DEVICE = ("train", "evaluate", "embed")  # stages that compute with a model


@dataclass(frozen=True)
class Work:
    """The work of a sweep. A stage that several sweeps need is counted in the first of them."""

    to_run: int
    reused: int
    seconds: dict[str, float]  # of ON_DEVICE stages, by basis (measured, estimated); times the number of devices
    unknown: list[str]  # names of stages without an estimate


@dataclass(frozen=True)
class PlannedSweep:
    """A sweep with its studies. If there are none, `sweep.failure` states the reason."""

    sweep: PaperSweep
    studies: Sequence[PlannedStudy] = ()

    def job_folders(self) -> list[Path]:
        """Returns the run folders of the jobs."""
        return [self.sweep.folder / str(number) for number in range(len(self.studies))]


@dataclass
class Expectation:
    """Counts the work of one sweep after the other, each stage once.

    `name`: the device that the estimates assume; None: cpu for a study with trainer.accelerator=cpu, else h100.
    `utilisation`: see `plan.devices.device`. `left`: receives a line for each size that cannot be computed. `on_gpu`:
    whether an estimate so far assumes a GPU.
    """

    name: DeviceName | None = None
    utilisation: float | None = None
    seen: set[str] = field(default_factory=set)
    footprints: dict[str, Footprint | None] = field(default_factory=dict)
    left: LeftOut = field(default_factory=LeftOut)
    on_gpu: bool = False

    def of(self, planned: PlannedSweep) -> Work:
        """Returns the work of a sweep, without stages that were counted for an earlier sweep."""
        seconds: dict[str, float] = {}
        unknown: list[str] = []
        to_run = reused = 0
        for study in planned.studies:
            with converted.described(study.stages, study.store):
                for stage in study.stages:
                    if stage.key in self.seen:
                        continue
                    self.seen.add(stage.key)
                    if study.store.look(stage).status == "reused":
                        reused += 1
                        continue
                    to_run += 1
                    figure = self._figure(study, stage)
                    if figure is None or figure["value"] is None:
                        unknown.append(stage.name)
                    elif stage.name in ON_DEVICE:
                        devices = processes_of(study.config.trainer) if stage.name == "train" else 1
                        basis = figure["basis"]
                        seconds[basis] = seconds.get(basis, 0.0) + figure["value"] * devices
        return Work(to_run, reused, seconds, unknown)

    def _figure(self, study: PlannedStudy, stage: Stage) -> Figure | None:
        return stage_seconds(study, stage, self._footprint(study), self._device(study))

    def _device(self, study: PlannedStudy) -> Device:
        trainer = study.config.trainer
        name = self.name or ("cpu" if trainer.accelerator == "cpu" else "h100")
        self.on_gpu = self.on_gpu or name != "cpu"
        return device(name, self.utilisation, trainer.threads)

    def _footprint(self, study: PlannedStudy) -> Footprint | None:
        """Returns the sizes of the study's model. They are computed once for equal models and adapters."""
        config = study.config
        key = f"{config.model} {config.lora} {config.trainer.precision}"
        if key not in self.footprints:
            self.footprints[key] = sizes(study, self.left)
        return self.footprints[key]


def planned_sweeps(sweeps: Iterable[PaperSweep]) -> list[PlannedSweep]:
    """Returns the sweeps with their studies. A sweep whose data are missing has a failure and no studies."""
    planned, expected = list[PlannedSweep](), dict[Path, ExpectedSeconds]()
    for sweep in sweeps:
        if sweep.failure:
            planned.append(PlannedSweep(sweep))
            continue
        try:
            studies = [open_study(words) for words in sweep.jobs()]
        except DataError as error:
            planned.append(PlannedSweep(replace(sweep, failure=str(error))))
            continue
        shared = [replace(study, expected=expected.setdefault(study.store.root, study.expected)) for study in studies]
        planned.append(PlannedSweep(sweep, shared))
    return planned
