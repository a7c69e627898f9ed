"""`python -m raft_exp.label RUN n=100`: writes a sheet in which people label replies that a judge judged."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.label.sample import Sample, draw
from raft_exp.apps.label.sheet import CSV, PAGE, write_sheet
from raft_exp.core.errors import ConfigError, DataError, StoreError, suggest
from raft_exp.core.schema import Positive, Seed, config_dataclass
from raft_exp.core.screen import say
from raft_exp.evaluation.judge.config import tasks_of
from raft_exp.evaluation.judge.labels import SETTING, Label, read_labels
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.statistics import FEWEST_LABELS
from raft_exp.pipeline.run import FinishedRun

_FOLDER = "labels"
_OPTION = "command-line"  # Hydra's name for the source of a folder of --config-dir


@config_dataclass
class LabelSettings:
    """The settings of `label`."""

    n: Positive = Field(default=100, description="number of replies in the sheet, over all arms")
    tasks: str | None = Field(
        default=None, title="TASK[,TASK]", description="the tasks to label (default: all tasks of the judge)"
    )
    seed: Seed = Field(default=0, description="random seed; a larger n adds questions to those of a smaller n")
    store: str | None = Field(
        default=None,
        title="PATH",
        description="the folder of the store, if it was moved after the run (default: as in the run)",
    )


_COMMAND = Command(
    form="python -m raft_exp.label RUN [name=value ...]",
    about=f"""Draws replies of a finished run that has a judge, and writes a sheet to label them.
RUN/{_FOLDER}/{PAGE} is a page that works offline; RUN/{_FOLDER}/{CSV} is the same sheet for a spreadsheet.
The labels correct the judge's figures ({SETTING}=FILE). All arms have the same questions; the names of the arms
are hidden. Labels that {CSV} has already are kept.""",
    words={"RUN": "the folder of a finished run"},
    settings=LabelSettings,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        (folder,), chosen = _COMMAND.read(arguments)
        run = FinishedRun(Path(folder), chosen.store)
        tasks = _tasks(run, chosen.tasks)
        sample = draw(run, chosen.n, tasks, chosen.seed)
        place = Path(folder) / _FOLDER
        kept = _labels(place / CSV, sample, tasks)
        try:
            place.mkdir(exist_ok=True)
            write_sheet(place, sample.replies, tasks, kept)
        except OSError as error:
            raise StoreError(
                f"{place}: {error.strerror}; free disk space, or give the run folder write permission"
            ) from error
        for line in _lines(run, place, sample, len(kept)):
            say(line)


def _tasks(run: FinishedRun, chosen: str | None) -> dict[str, bool]:
    """Returns {chosen task: whether its values are shares of claims}.

    Raises ConfigError for an unknown task, and for a study without a judge or without tasks about single replies.
    """
    judge = run.config.evaluation.judge
    if judge is None:
        raise ConfigError(
            f"{run.folder}: the study has no judge, so labels have nothing to correct; run it with "
            "evaluation.judge=openai (or vllm, transformers) first"
        )
    known = {name: task.reply == "claims" for name, task in tasks_of(judge).items()}
    names = re.findall(r"[^\[\],\s]+", chosen) if chosen else list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"tasks: got {name!r}; {suggest(name, known)}")
    if not names:
        raise ConfigError(
            f"{run.folder}: the judge has no task about single replies; set one in evaluation.judge.tasks"
        )
    return {name: known[name] for name in names}


def _labels(path: Path, sample: Sample, tasks: dict[str, bool]) -> list[Label]:
    """Returns the labels in an existing sheet, [] without one. Raises DataError if they do not fit the new sheet."""
    if not path.exists():
        return []
    rows = {(reply.name, task) for reply in sample.replies for task in reply.tasks}
    labels = read_labels(path, tasks)
    if others := [label for label in labels if (label.reply, label.task) not in rows]:
        raise DataError(
            f"{path}: has {len(others)} labels of replies that are not in the new sheet; use the n, seed and tasks of "
            "the first sheet (n may be larger), or move the file"
        )
    return labels


def _lines(run: FinishedRun, place: Path, sample: Sample, kept: int) -> list[str]:
    size = f"{sample.questions} questions, {sample.arms} arms, {len(sample.replies)} replies"
    lines = [f"sheet: {place / PAGE} ({size}{f', {kept} labels kept' if kept else ''})"]
    if sample.questions < FEWEST_LABELS:
        needed = FEWEST_LABELS * sample.arms
        lines.append(f"note: a figure is corrected if its arm has {FEWEST_LABELS} labels or more; use n={needed}")
    return [
        *lines,
        f"label the replies there and move the downloaded file to {place / CSV}, or fill in that file; then run",
        f"  {_command(run, place / CSV)}",
    ]


def _command(run: FinishedRun, path: Path) -> str:
    """Returns the command of the run, with the setting that reads the labels. Raises DataError without results.json."""
    file = run.folder / "results.json"
    if not file.exists():
        raise DataError(f"{file}: missing; finish the study first, with the command that started it")
    results: Results = json.loads(file.read_text(encoding="utf-8"))
    words = [word for word in results.get("overrides", []) if not word.lstrip("+").startswith(f"{SETTING}=")]
    return shlex.join(["python", "-m", "raft_exp", *_options(run.folder), *words, f"{SETTING}={path}"])


def _options(folder: Path) -> list[str]:
    """Returns the option --config-dir of the run's command, from Hydra's record; [] without it."""
    record = folder / ".hydra" / "hydra.yaml"
    if not record.exists():
        return []
    sources = yaml.safe_load(record.read_text(encoding="utf-8"))["hydra"]["runtime"]["config_sources"]
    return [word for source in sources if source["provider"] == _OPTION for word in ("--config-dir", source["path"])]
