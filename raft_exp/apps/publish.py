"""`python -m raft_exp.publish RUN [RUN ...] NNN_name [question=TEXT] [into=DIR]`: makes a folder in experiments/."""

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
from raft_exp.core.plan import PlanRow
from raft_exp.core.schema import config_dataclass
from raft_exp.evaluation.results import Figure, Results, Summary
from raft_exp.pipeline.estimate import duration

_NAME = re.compile(r"\d{3}_[a-z0-9_]+")
_DONE = {"ran", "reused"}


@config_dataclass
class PublishSettings:
    """The settings of `publish`."""

    question: str | None = Field(
        default=None, title="TEXT", description="the question of the study (default: the words of NNN_name)"
    )
    into: str = Field(default="experiments", title="DIR", description="the folder in which NNN_name is made")


_COMMAND = Command(
    form='python -m raft_exp.publish RUN [RUN ...] NNN_name [question="..."] [into=DIR]',
    about="""Makes experiments/NNN_name/ of finished runs, or of the folder of a sweep: README.md with question and
figures, config.yaml with every setting, and results.json. It refuses an unfinished run and an existing folder. The
interpretation of the result is left to write, in README.md.""",
    words={
        "RUN": "the folder of a finished run, or of a sweep",
        "NNN_name": "the new folder: three digits, then small letters, digits and _, such as 004_gold_share",
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
            raise _COMMAND.missing("NNN_name (such as 004_gold_share)")
        if len(names) > 1:
            raise ConfigError(f"NNN_name: got {' and '.join(names)}; name one new folder")
        folder = publish(runs, Path(chosen.into) / names[0], chosen.question or "")
        print(f"published: {folder / 'README.md'} (what it shows, and what it does not, is left to write)")


def publish(runs: Sequence[Path], out: Path, question: str) -> Path:
    """Writes the folder `out`, and returns it. Raises DataError for an unfinished run and for an existing folder."""
    if out.exists():
        raise DataError(f"{out}: exists already; published studies are not changed, give another NNN_name")
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
    """The run itself, or the jobs of a finished sweep."""
    if not run.is_dir():
        raise DataError(f"{run}: no such folder; give a run folder, or the folder of a sweep")
    if not (run / "multirun.yaml").exists():
        return [run]
    if not (run / "sweep.json").exists():
        raise DataError(f"{run}: the sweep is not finished; the same command goes on, in a new folder")
    jobs = json.loads((run / "sweep.json").read_text(encoding="utf-8"))
    if bad := [str(job["job"]) for job in jobs if job["status"] != "done"]:
        raise DataError(f"{run}: not every job is done (jobs {', '.join(bad)}); the same command runs what is missing")
    return [run / job["folder"] for job in jobs]


def _check(job: Path) -> None:
    plan: list[PlanRow] = _json(job / "plan.json")
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
            overrides = yaml.safe_load((run / "multirun.yaml").read_text(encoding="utf-8"))["hydra"]["overrides"]
            of_hydra = [override for override in overrides["hydra"] if not override.startswith("hydra.mode=")]
            yield f"python -m raft_exp -m {shlex.join([*of_hydra, *overrides['task']])}"
        else:
            yield f"python -m raft_exp {shlex.join(_json(run / 'results.json')['overrides'])}"


def _made(jobs: Sequence[Path]) -> Iterator[str]:
    """The commits and seconds of the runs' stages, each stage counted once."""
    plans: list[list[PlanRow]] = [_json(job / "plan.json") for job in jobs]
    rows = {row["key"]: row for plan in plans for row in plan}
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
    from raft_exp.reporting.terminal import shown_metrics
    from raft_exp.reporting.verdict import invented_quotes, title

    results: Results = _json(run / "results.json")
    shutil.copyfile(run / "results.json", out / "results.json")
    _figure(intervals(results), out / "figure.svg")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    metrics, others = shown_metrics(results, config["evaluation"].get("metrics", []))
    rows = [
        [f"`{name}`", *(_cell(arm["metrics"].get(metric)) for metric in metrics)]
        for name, arm in _with_conditions(results["arms"], results["conditions"]).items()
    ]
    n = next(iter(results["arms"].values()))["n"]
    told = " ".join(filter(None, [results["verdict"], invented_quotes(results)]))
    result = f"**Result.** {told} In percent over {n} questions, with 95% intervals."
    result += f" {len(others)} more in `results.json`: {', '.join(map(title, others))}." if others else ""
    warnings = [f"- Warning: {line}" for line in results.get("warnings", [])]
    return [
        result,
        "",
        *([*warnings, ""] if warnings else []),
        *_table(["arm", *map(title, metrics)], rows),
        "",
        "![figures by arm](figure.svg)",
    ]


def _with_conditions(
    arms: Mapping[str, Summary], conditions: Mapping[str, Mapping[str, Summary]]
) -> dict[str, Summary]:
    """The arms, then those under conditions as `<arm>@<condition>`."""
    under = {f"{name}@{condition}": arm for condition, row in conditions.items() for name, arm in row.items()}
    return {**arms, **under}


def _several(jobs: Sequence[Path], out: Path) -> list[str]:
    """Several studies: settings as rows, arms as columns, the seeds pooled; curves over swept numbers."""
    from raft_exp.reporting import sweeps
    from raft_exp.reporting.compare import compared
    from raft_exp.reporting.runs import open_runs
    from raft_exp.reporting.settings import settings
    from raft_exp.reporting.verdict import title

    groups, _ = settings(open_runs(jobs)[0])
    results = compared(groups)
    # the seeds without the folders of the runs, which mean nothing elsewhere
    published = [{**entry, "runs": list(entry["runs"])} for entry in results["settings"]]
    (out / "results.json").write_text(json.dumps({**results, "settings": published}, indent=1) + "\n", encoding="utf-8")
    metric = results["metrics"][0]
    settings_arms = [
        (entry["name"], _with_conditions(entry["arms"], entry["conditions"])) for entry in results["settings"]
    ]
    labels = list(dict.fromkeys(label for _, arms in settings_arms for label in arms))
    rows = [
        [name, *(_cell(arms[label]["metrics"].get(metric) if label in arms else None) for label in labels)]
        for name, arms in settings_arms
    ]
    plots = sweeps.plots(groups, results, {})
    for number, plot in enumerate(plots):
        _figure(plot["svg"], out / _file(number))
    shown = [f"![{plot['title']}]({_file(number)})" for number, plot in enumerate(plots)]
    result = (
        f"**Result.** {results['verdict']} {title(metric)} in percent, with 95% intervals; "
        "all metrics in `results.json`."
    )
    return [result, "", *_table(["setting", *(f"`{label}`" for label in labels)], rows), "", *shown]


def _file(number: int) -> str:
    return f"figure_{number + 1}.svg" if number else "figure.svg"


def _cell(figure: Figure | None) -> str:
    if not figure:
        return ""
    value, low, high = (f"{100 * figure[name]:.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low}-{high})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _figure(svg: str, file: Path) -> None:
    from raft_exp.reporting.plots.drawing import standalone

    file.write_text(standalone(svg) + "\n", encoding="utf-8")
