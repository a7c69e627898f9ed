"""`python -m raft_exp.publish RUN [RUN ...] NNN_name [question=TEXT] [into=DIR]`: makes a folder in experiments/."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.shown_command import shown_command, shown_setting, without_places
from raft_exp.core import secrets
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.plan import PlanRow
from raft_exp.core.schema import config_dataclass
from raft_exp.core.screen import say
from raft_exp.evaluation.results import Results
from raft_exp.pipeline.estimate import duration

_NAME = re.compile(r"\d{3}_[a-z0-9_]+")
_DONE = {"ran", "reused"}
_FOLDERS = ("store=", "local_store=", "hydra.run.dir=", "hydra.sweep.dir=", "hydra.sweep.subdir=")


@config_dataclass
class PublishSettings:
    """The settings of `publish`."""

    question: str | None = Field(
        default=None, title="TEXT", description="the question of the study (default: the words of NNN_name)"
    )
    into: str = Field(default="experiments", title="DIR", description="the folder in which NNN_name is made")
    renew: bool = Field(
        default=False, description="whether to replace all files of an existing NNN_name except README.md"
    )


_COMMAND = Command(
    form='python -m raft_exp.publish RUN [RUN ...] NNN_name [question="..."] [into=DIR] [renew=true]',
    about="""Makes the folder experiments/NNN_name/ from finished runs, or from the folder of a sweep. It has README.md
with question and figures, config.yaml with every setting, and results.json. You write the interpretation into README.md
yourself. An unfinished run is an error, and so is an existing folder. With renew=true the files of an existing folder
are replaced, except README.md.""",
    words={
        "RUN": "the folder of a finished run, or of a sweep",
        "NNN_name": "the new folder: three digits, then small letters, digits and _, such as 004_gold_share",
    },
    settings=PublishSettings,
    most=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        words, chosen = _COMMAND.read(arguments)
        names = [word for word in words if _NAME.fullmatch(word) and not Path(word).is_dir()]
        runs = [Path(word) for word in words if word not in names]
        if not runs:
            raise _COMMAND.missing("RUN")
        if not names:
            raise _COMMAND.missing("NNN_name (such as 004_gold_share)")
        if len(names) > 1:
            raise ConfigError(f"NNN_name: got {' and '.join(names)}; name one new folder")
        folder = publish(runs, Path(chosen.into) / names[0], chosen.question or "", chosen.renew)
        left = (
            "check that its text still fits the new figures"
            if chosen.renew
            else "now write there what the result shows and does not show"
        )
        say(f"published: {folder / 'README.md'} ({left})")


def publish(runs: Sequence[Path], out: Path, question: str, renew: bool = False) -> Path:
    """Writes the folder `out`, and returns it. With `renew`, replaces the files of an existing folder except README.md.

    Raises DataError for an unfinished run, for a file with a secret, for an existing folder without `renew`, and with
    `renew` for a folder without README.md.
    """
    if out.exists() and not renew:
        raise DataError(
            f"{out} exists already; choose another name (NNN_name), or set renew=true to make the figures of "
            "this folder again"
        )
    if renew and not (out / "README.md").exists():
        raise DataError(
            f"{out}: has no README.md, and renew=true does not write this file; remove renew=true, and this folder if "
            "it exists"
        )
    jobs = [job for run in runs for job in _jobs(run)]
    for job in jobs:
        _check(job)
    beside = out.with_name(f".{out.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    _write_config(jobs[0] / "config.yaml", beside / "config.yaml")
    parts = _one(jobs[0], beside) if len(jobs) == 1 else _several(jobs, beside)
    head = [f"# {out.name[:3]}: {question or out.name[4:].replace('_', ' ')}", ""]
    head += ["**Question.** " + (question or "_To be written._"), "", "**Command**", "```", *_commands(runs), "```"]
    left = ["**What it shows.** _To be written._", "", "**What it does not show.** _To be written._"]
    (beside / "README.md").write_text("\n".join([*head, *_made(jobs), "", *parts, "", *left]) + "\n", encoding="utf-8")
    secrets.check_files(beside, "published")
    if renew:
        _replace(beside, out)
    else:
        beside.rename(out)
    return out


def _replace(made: Path, out: Path) -> None:
    """Moves the new files from `made` to `out`, except README.md. Old figures in `out` are deleted."""
    for old in out.glob("figure*.svg"):
        old.unlink()
    for file in sorted(made.iterdir()):
        if file.name != "README.md":
            file.replace(out / file.name)
    shutil.rmtree(made)


def _jobs(run: Path) -> list[Path]:
    """Returns [run] for the folder of a run, or the job folders for the folder of a sweep.

    Raises DataError for a missing folder and an unfinished sweep.
    """
    if not run.is_dir():
        raise DataError(f"{run}: no such folder; give a run folder, or the folder of a sweep")
    if not (run / "multirun.yaml").exists():
        return [run]
    if not (run / "sweep.json").exists():
        raise DataError(
            f"{run}: the sweep is not finished; run its command again (it reuses all stored results), then publish the "
            "folder of that sweep"
        )
    jobs = json.loads((run / "sweep.json").read_text(encoding="utf-8"))
    if bad := [str(job["job"]) for job in jobs if job["status"] != "done"]:
        raise DataError(
            f"{run}: unfinished jobs of the sweep: {', '.join(bad)}; run its command again (it reuses all stored "
            "results), then publish the folder of that sweep"
        )
    return [run / job["folder"] for job in jobs]


def _check(job: Path) -> None:
    plan: list[PlanRow] = _json(job / "plan.json")
    if bad := [f"{row['stage']} {row['status']}" for row in plan if row["status"] not in _DONE]:
        raise DataError(
            f"{job}: the run is not finished ({', '.join(bad[:3])}); run the same command again to finish it"
        )
    if not (job / "results.json").exists():
        raise DataError(f"{job}: has no results.json; run the study to its end, without until, preview or dry_run")


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); give the folder of a finished run") from None


def _commands(runs: Sequence[Path]) -> Iterator[str]:
    for run in runs:
        if (run / "multirun.yaml").exists():
            overrides = yaml.safe_load((run / "multirun.yaml").read_text(encoding="utf-8"))["hydra"]["overrides"]
            of_hydra = [override for override in overrides["hydra"] if not override.startswith("hydra.mode=")]
            yield shown_command("python -m raft_exp -m", _elsewhere([*of_hydra, *overrides["task"]]))
        else:
            yield shown_command("python -m raft_exp", _elsewhere(_json(run / "results.json")["overrides"]))


def _write_config(made: Path, out: Path) -> None:
    """Copies config.yaml with the default store. Each path of this machine is shortened to its last part."""
    text = re.sub(r"^(store|local_store): .*$", r"\1: store", made.read_text(encoding="utf-8"), flags=re.MULTILINE)
    settings = yaml.safe_load(text)
    if (shown := without_places(settings)) != settings:
        text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)
    out.write_text(text, encoding="utf-8")


def _elsewhere(overrides: Sequence[str]) -> list[str]:
    """Returns the overrides without the folders of store and runs, because the paths differ between machines."""
    return [override for override in overrides if not override.startswith(_FOLDERS)]


def _made(jobs: Sequence[Path]) -> Iterator[str]:
    """Yields a line with the commits and the total time of the runs' stages. Shared stages count once."""
    plans: list[list[PlanRow]] = [_json(job / "plan.json") for job in jobs]
    rows = {row["key"]: row for plan in plans for row in plan}
    commits = set()
    for row in rows.values():
        manifest = Path(row["path"]) / "manifest.json"
        if manifest.exists():
            commits.add(_json(manifest).get("git_commit"))
    known = ", ".join(f"`{commit[:7]}`" for commit in sorted(filter(None, commits)))
    seconds = sum(row["seconds"] for row in rows.values())
    yield f"Made at commit {known or 'unknown'}; the {len(rows)} stages took {duration(seconds)} in all."


def _one(run: Path, out: Path) -> list[str]:
    """Writes results.json and figure.svg of one study into `out`. Returns the lines about its result for README.md.

    The lines are warnings, the result as a sentence, and a table with arms as rows and metrics as columns.
    """
    from raft_exp.reporting.experiment import table, with_conditions
    from raft_exp.reporting.facts import quarantine
    from raft_exp.reporting.formats import figure_text, title
    from raft_exp.reporting.plots.arms import intervals
    from raft_exp.reporting.plots.drawing import standalone
    from raft_exp.reporting.terminal import findings, marks, shown_metrics
    from raft_exp.reporting.verdict import significant

    results: Results = _json(run / "results.json")
    results["overrides"] = _elsewhere(results["overrides"])
    shown: dict[str, object] = {name: without_places(value) for name, value in results.items()}
    shown["overrides"] = [shown_setting(word) for word in results["overrides"]]
    (out / "results.json").write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")
    (out / "figure.svg").write_text(standalone(intervals(results)) + "\n", encoding="utf-8")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    metrics, others = shown_metrics(results, config["evaluation"].get("metrics", []))
    marked = significant(results["comparisons"])
    rows = [
        [
            f"`{name}`",
            *(figure_text(arm["metrics"].get(metric)) + " \\*" * ((name, metric) in marked) for metric in metrics),
        ]
        for name, arm in with_conditions(results["arms"], results["conditions"]).items()
    ]
    n = next(iter(results["arms"].values()))["n"]
    verdict, *others_found = findings(results)
    result = f"**Result.** {verdict} In percent over {n} questions, with 95% intervals."
    result += f" \\{marks(results)}" if marked else ""
    result += f" {len(others)} more in `results.json`: {', '.join(map(title, others))}." if others else ""
    audit = run / "audit.json"
    lost = [f"- {line}" for line in quarantine(_json(audit))] if audit.exists() else []
    warnings = [*lost, *(f"- Warning: {line}" for line in results.get("warnings", []))]
    return [
        *([*warnings, ""] if warnings else []),
        result,
        *(part for line in others_found for part in ("", line)),
        "",
        *table(["arm", *map(title, metrics)], rows),
        "",
        "![figures by arm](figure.svg)",
    ]


def _several(jobs: Sequence[Path], out: Path) -> list[str]:
    """Compares several studies: writes results.json and figures into `out`. Returns the lines for README.md.

    The lines are the result as a sentence, tables with means over seeds, and links to the figures.
    """
    from raft_exp.reporting import experiment, sweeps
    from raft_exp.reporting.compare import compared
    from raft_exp.reporting.comparison import write_figures
    from raft_exp.reporting.formats import title
    from raft_exp.reporting.runs import open_runs
    from raft_exp.reporting.settings import settings

    groups, _ = settings(open_runs(jobs)[0])
    results = compared(groups)
    (out / "results.json").write_text(json.dumps(without_places(results), indent=1) + "\n", encoding="utf-8")
    plots = sweeps.plots(groups, results, {})
    names = write_figures(out, plots)
    shown = [f"![{plot['title']}]({name})" for plot, name in zip(plots, names, strict=True)]
    result = (
        f"**Result.** {results['verdict']} {title(results['metrics'][0])} in percent, with 95% intervals; "
        "all metrics in `results.json`."
    )
    return [result, "", *experiment.tables(results), *shown]
