"""`python -m raft_exp.publish RUN [RUN ...] NNN_name [question=TEXT] [into=DIR]`: experiments/NNN_name out of runs."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.schema import config_dataclass
from raft_exp.pipeline.estimate import duration

_NAME = re.compile(r"\d{3}_[a-z0-9_]+")
_DONE = {"ran", "reused"}
_COLUMNS = 5  # metrics of one study's table; results.json has all


@config_dataclass
class PublishSettings:
    """The settings of `publish`."""

    question: str | None = Field(
        default=None, title="TEXT", description="what was asked, for the page (default: the words of NNN_name)"
    )
    into: str = Field(default="experiments", title="DIR", description="the folder that NNN_name is made in")


_COMMAND = Command(
    form='python -m raft_exp.publish RUN [RUN ...] NNN_name [question="..."] [into=DIR]',
    about="""Makes experiments/NNN_name/ out of finished runs, or the folder of a sweep: README.md with question and
figures, config.yaml with every setting, and results.json. A run that is not finished is refused, and so is a folder
that is there. What the result means is left to write, in README.md.""",
    words={
        "RUN": "the folder of a finished run, or of a sweep",
        "NNN_name": "the new folder: three digits, then small letters, digits and _, as 004_what_was_asked",
    },
    settings=PublishSettings,
    most=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        words, chosen = _COMMAND.read(arguments)
        names = [word for word in words if _NAME.fullmatch(word) and not Path(word).is_dir()]
        runs = [Path(word) for word in words if word not in names]
        if not runs:
            raise _COMMAND.missing("RUN")
        if not names:
            raise _COMMAND.missing("NNN_name (as 004_what_was_asked)")
        if len(names) > 1:
            raise ConfigError(f"NNN_name: got {' and '.join(names)}; name one new folder")
        made = publish(runs, Path(chosen.into) / names[0], chosen.question or "")
        print(f"published: {made / 'README.md'} (what it shows, and what it does not, is left to write)")


def publish(runs: Sequence[Path], out: Path, question: str) -> Path:
    """Writes the folder `out`. Raises DataError for a partial run and for a folder that is there."""
    if out.exists():
        raise DataError(f"{out}: is there already; published studies are not changed, give another NNN_name")
    jobs = [job for run in runs for job in _jobs(run)]
    for job in jobs:
        _check(job)
    beside = out.with_name(f".{out.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    shutil.copyfile(jobs[0] / "config.yaml", beside / "config.yaml")
    parts = _one(jobs[0], beside) if len(jobs) == 1 else _several(jobs, beside)
    head = [f"# {out.name[:3]}: {question or out.name[4:].replace('_', ' ')}", ""]
    head += ["**Question.** " + (question or "_To be written._"), "", "**Command**", "```", *_commands(runs), "```"]
    left = ["**What it shows.** _To be written._", "", "**What it does not show.** _To be written._"]
    (beside / "README.md").write_text("\n".join([*head, *_made(jobs), "", *parts, "", *left]) + "\n", encoding="utf-8")
    beside.rename(out)
    return out


def _jobs(run: Path) -> list[Path]:
    """The run itself, or the jobs of a sweep that came to its end."""
    if not run.is_dir():
        raise DataError(f"{run}: no such folder; give a run folder, or the folder of a sweep")
    if not (run / "multirun.yaml").exists():
        return [run]
    if not (run / "sweep.json").exists():
        raise DataError(f"{run}: the sweep did not come to its end; the same command goes on, in a folder of its own")
    told = json.loads((run / "sweep.json").read_text(encoding="utf-8"))
    if bad := [str(job["job"]) for job in told if job["status"] != "done"]:
        raise DataError(f"{run}: not every job is done (jobs {', '.join(bad)}); the same command runs what is missing")
    return [run / job["folder"] for job in told]


def _check(job: Path) -> None:
    plan = _json(job / "plan.json")
    if bad := [f"{row['stage']} {row['status']}" for row in plan if row["status"] not in _DONE]:
        raise DataError(f"{job}: a partial run ({', '.join(bad[:3])}); the same command goes on")
    if not (job / "results.json").exists():
        raise DataError(f"{job}: no results.json; run it to its end, without until, preview or dry_run")


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); give the folder of a finished run") from None


def _commands(runs: Sequence[Path]) -> Iterator[str]:
    for run in runs:
        if (run / "multirun.yaml").exists():
            known = yaml.safe_load((run / "multirun.yaml").read_text(encoding="utf-8"))["hydra"]["overrides"]
            chosen = [one for one in known["hydra"] if not one.startswith("hydra.mode=")]
            yield f"python -m raft_exp -m {shlex.join([*chosen, *known['task']])}"
        else:
            yield f"python -m raft_exp {shlex.join(_json(run / 'results.json')['overrides'])}"


def _made(jobs: Sequence[Path]) -> Iterator[str]:
    """Commits and seconds of the stages that the runs show."""
    rows = {row["key"]: row for job in jobs for row in _json(job / "plan.json")}
    commits = set()
    for row in rows.values():
        manifest = Path(row["path"]) / "manifest.json"
        if manifest.exists():
            commits.add(_json(manifest).get("git_commit"))
    known = ", ".join(f"`{commit[:7]}`" for commit in sorted(filter(None, commits)))
    seconds = sum(row["seconds"] for row in rows.values())
    yield f"Made at commit {known or 'unknown'}; its {len(rows)} stages took {duration(seconds)} in all."


def _one(run: Path, out: Path) -> list[str]:
    """One study: arms as rows, metrics as columns."""
    from raft_exp.reporting.plots.arms import intervals
    from raft_exp.reporting.verdict import title

    results = _json(run / "results.json")
    shutil.copyfile(run / "results.json", out / "results.json")
    _figure(intervals(results), out / "figure.svg")
    metrics = results["metrics"][:_COLUMNS]
    rows = [
        [f"`{name}`", *(_cell(arm["metrics"].get(metric)) for metric in metrics)]
        for name, arm in _with_conditions(results).items()
    ]
    n = next(iter(results["arms"].values()))["n"]
    found = f"**Result.** {results['verdict']} In percent over {n} questions, with 95% intervals."
    return [found, "", *_table(["arm", *map(title, metrics)], rows), "", "![figures by arm](figure.svg)"]


def _with_conditions(results: Mapping[str, Any]) -> dict[str, Any]:
    under = {f"{arm}@{at}": found for at, arms in results["conditions"].items() for arm, found in arms.items()}
    return {**results["arms"], **under}


def _several(jobs: Sequence[Path], out: Path) -> list[str]:
    """Several studies: settings as rows, arms as columns, the seeds pooled; curves of what was swept."""
    from raft_exp.reporting import sweeps
    from raft_exp.reporting.compare import compared
    from raft_exp.reporting.runs import open_runs
    from raft_exp.reporting.settings import settings
    from raft_exp.reporting.verdict import title

    found, _ = settings(open_runs(jobs)[0])
    told = compared(found)
    for entry in told["settings"]:
        entry["runs"] = list(entry["runs"])  # the seeds; where the runs lay says nothing to a reader
    (out / "results.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    metric = told["metrics"][0]
    labels = list(dict.fromkeys(label for entry in told["settings"] for label in _with_conditions(entry)))
    rows = [
        [
            entry["name"],
            *(_cell(_with_conditions(entry).get(label, {}).get("metrics", {}).get(metric)) for label in labels),
        ]
        for entry in told["settings"]
    ]
    plots = sweeps.plots(found, told, {})
    for number, plot in enumerate(plots):
        _figure(plot["svg"], out / _file(number))
    shown = [f"![{plot['title']}]({_file(number)})" for number, plot in enumerate(plots)]
    said = (
        f"**Result.** {told['verdict']} {title(metric)} in percent, with 95% intervals; all metrics in `results.json`."
    )
    return [said, "", *_table(["setting", *(f"`{label}`" for label in labels)], rows), "", *shown]


def _file(number: int) -> str:
    return f"figure_{number + 1}.svg" if number else "figure.svg"


def _cell(found: Mapping[str, float] | None) -> str:
    if not found:
        return ""
    value, low, high = (f"{100 * found[name]:.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low}-{high})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _figure(svg: str, file: Path) -> None:
    from raft_exp.reporting.plots.drawing import standalone

    file.write_text(standalone(svg) + "\n", encoding="utf-8")
