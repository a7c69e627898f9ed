"""The sweeps of the paper: one for each experiment and each data set that the experiment names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml

from raft_exp.apps.group_arguments import with_group_names
from raft_exp.apps.paper.local import local_words
from raft_exp.apps.path_arguments import with_quoted_paths
from raft_exp.core.errors import DataError
from raft_exp.pipeline.config import conf_dir
from raft_exp.reporting.paper.parts import Study

STUDIES: tuple[Study, ...] = get_args(Study)
_EXPERIMENT = "+experiment"
_SHORT, _SMALL = "+debug=short", {"model": "tiny", "trainer": "cpu"}


@dataclass(frozen=True)
class PaperSweep:
    """An experiment of the paper on one data set.

    `words`: the settings that read the local data, and the user's settings. `failure`: the reason why the sweep cannot
    be run; "" if it can be run.
    """

    study: Study
    experiments: tuple[str, ...]  # the data set's experiment first
    params: Mapping[str, str]  # the settings that the experiment varies
    words: tuple[str, ...]
    folder: Path
    failure: str = ""
    lack: str = ""  # what the local data lack, although the sweep can be run

    @property
    def corpus(self) -> str:
        """The key of the data set in published.yaml: the name of its experiment, or `apibench/HUB`."""
        hubs = [name.rpartition("/")[2] for name in self.experiments if "/hubs/" in name]
        return "/".join([self.experiments[0], *hubs])

    @property
    def arguments(self) -> list[str]:
        """The arguments of `python -m raft_exp` that run the sweep."""
        return ["--multirun", self._experiment, *self.words, f"hydra.sweep.dir={self.folder}"]

    @property
    def _experiment(self) -> str:
        return f"{_EXPERIMENT}=[{','.join(self.experiments)}]"

    def jobs(self) -> list[list[str]]:
        """Returns the settings of each job, in the order of the sweep."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
        from hydra.core.override_parser.overrides_parser import OverridesParser

        from raft_exp.apps.sweep.space import with_params

        words = with_params([self._experiment, *with_group_names(with_quoted_paths(self.words))], self.params)
        (batch,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)
        return [list(overrides) for overrides in batch]


def paper_sweeps(words: Sequence[str], data: Path | None, out: Path) -> Iterator[PaperSweep]:
    """Yields the sweeps of tables and figures in the order of the paper.

    `words`: settings of all studies. `data`: a folder with local data sets; None: the data sets are downloaded.
    """
    words = with_small_model(words)
    for study in STUDIES:
        params = _params(study)
        for names in re.findall(r"\[([^\]]*)\]", params.pop(_EXPERIMENT)):
            experiments = tuple(name.strip() for name in names.split(","))
            place = "-".join(name.rpartition("/")[2] for name in experiments[:-1])
            own, failure, lack = list[str](), "", ""
            if data is not None:
                try:
                    own, lack = local_words(data, experiments[0])
                except DataError as error:
                    failure = str(error)
            yield PaperSweep(study, experiments, params, (*own, *words), out / study / place, failure, lack)


def with_small_model(words: Sequence[str]) -> list[str]:
    """Returns `words`. If they contain +debug=short, adds model=tiny and trainer=cpu.

    A group that `words` already set is not added. The figures of a short study mean nothing, so a tiny model is enough.
    """
    if _SHORT not in words:
        return [*words]
    named = {word.partition("=")[0].lstrip("+") for word in words}
    return [*words, *(f"{group}={name}" for group, name in _SMALL.items() if group not in named)]


def _params(study: str) -> dict[str, str]:
    file = conf_dir() / "experiment" / "paper" / f"{study}.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {name: str(value) for name, value in settings["hydra"]["sweeper"]["params"].items()}
