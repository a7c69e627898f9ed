"""`python -m raft_exp.plan RUN|SETTING ...`: says what a study needs, and which differences its test can find."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.plan.devices import DeviceName
from raft_exp.core.errors import ConfigError, StoreError
from raft_exp.core.schema import config_dataclass

if TYPE_CHECKING:
    from raft_exp.apps.plan.figures import Plan

_Above0 = Annotated[float, Field(gt=0, le=1)]


@config_dataclass
class PlanSettings:
    """The settings of `plan`."""

    device: DeviceName | None = Field(
        default=None,
        title="NAME",
        description="cpu, or a GPU: h200, h100, a100, l40s, l4, ... (default: cpu or h100, by trainer)",
    )
    discordance: _Above0 | None = Field(
        default=None,
        title="SHARE",
        description="share of questions that only one of two arms answers right (default: from RUN, or 0.3)",
    )
    utilisation: _Above0 | None = Field(
        default=None,
        title="SHARE",
        description="share of a GPU's peak speed that a computation reaches (default: 0.25)",
    )
    out: str | None = Field(
        default=None, title="FILE.json", description="a file to write the plan to, as JSON (default: none)"
    )


_COMMAND = Command(
    form="python -m raft_exp.plan RUN|SETTING [SETTING ...] [device=h100] [out=FILE.json]",
    about="""Plans a study before it runs: the questions that each comparison needs, memory, time, disk space,
requests and cost. Every figure says whether it is counted, measured, assumed or estimated. No stage is run, nothing is
sent, and only FILE.json is written.""",
    words={"RUN|SETTING": "a run folder (finished, failed or dry), or settings as for `python -m raft_exp`"},
    settings=PlanSettings,
    most=None,
    of_study=True,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        words, chosen = _COMMAND.read(arguments)
        _check_out(chosen.out)
        plan = make(words, chosen)
        from raft_exp.apps.plan.page import page
        from raft_exp.core.screen import Console

        if chosen.out:
            _write(Path(chosen.out), plan)
        console = Console(highlight=False, soft_wrap=False)
        for part in page(plan):
            console.print(part)
        if chosen.out:
            print(f"plan: {chosen.out}")


def make(words: Sequence[str], chosen: PlanSettings) -> "Plan":
    """Makes the plan of a study. `words`: a run folder, or settings. Raises RaftError for invalid settings."""
    from raft_exp.apps.plan import claims, disk, hours, judge, model, teacher
    from raft_exp.apps.plan.devices import device
    from raft_exp.apps.plan.figures import LeftOut
    from raft_exp.apps.plan.study import open_study
    from raft_exp.pipeline import converted

    study, left = open_study(words), LeftOut()
    trainer = study.config.trainer
    name = chosen.device or ("cpu" if trainer.accelerator == "cpu" else "h100")
    planned = device(name, chosen.utilisation, trainer.threads)
    with converted.described(study.stages, study.store):
        footprint = model.sizes(study, left)
        memory = model.largest_training(study, footprint, planned, left) if footprint else []
        spent = disk.disk(study, footprint)
        asked = [*teacher.requests(study, left), *judge.requests(study, left)]
        expected = hours.hours(study, footprint, planned, left)
    questions = claims.planned_questions(study)
    number = None if questions["value"] is None else int(questions["value"])
    return {
        "study": study.config.study,
        "model": study.config.model.name_or_path,
        "device": name,
        "questions": questions,
        "claims": claims.claims(study, number, chosen.discordance, left),
        "memory": memory,
        "hours": expected,
        "disk": spent,
        "teacher": asked,
        "warnings": model.warnings(study),
        "left_out": left.lines,
    }


def _check_out(out: str | None) -> None:
    """Raises ConfigError if `out` cannot be written. Called before the plan is made."""
    if out is None:
        return
    folder = Path(out).parent
    if Path(out).is_dir():
        raise ConfigError(f"out: got {out!r}, which is a folder; name a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"out: got {out!r}, but {folder} is not a folder that can be written; name another file")


def _write(file: Path, plan: "Plan") -> None:
    from raft_exp.core.files import write_atomically

    try:
        write_atomically(file, json.dumps(plan, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StoreError(f"out={file}: {error.strerror}; name another file") from error
