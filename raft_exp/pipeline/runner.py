"""Runs the stages of a study in order, and prints which stages ran and which were reused."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from raft_exp.core import tracking
from raft_exp.core.files import write_atomically
from raft_exp.core.screen import Console
from raft_exp.core.stage import Stage
from raft_exp.evaluation import selection
from raft_exp.evaluation.results import Choice
from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.pipeline import converted
from raft_exp.pipeline.estimate import ExpectedSeconds, compilation, describe_expected, duration
from raft_exp.pipeline.judge_requests import STAGES as JUDGING
from raft_exp.pipeline.judge_requests import judge_estimate
from raft_exp.pipeline.model_checks import check_models
from raft_exp.pipeline.requirements import check_requirements, quantized_bases
from raft_exp.pipeline.run_begin import has_results
from raft_exp.pipeline.spread.driver import Spread
from raft_exp.pipeline.spread_settings import ONE_PROCESS, SpreadConfig
from raft_exp.pipeline.store import Outcome, Store
from raft_exp.pipeline.worker import WorkerProcess

_LARGE = ("model", "train", "embed")  # large results, which are checked only when another stage reads them
_FORCED = "RAFT_EXP_OWN_PROCESS"  # if set, every stage runs in a process of its own, as GPU stages do


class Runner:
    """Runs stages.

    `run`: the run folder. `config_file`: the resolved config of the run, for worker processes. `remark`: function that
    returns a warning about the result of a stage in the store; "" for none.
    """

    def __init__(
        self,
        store: Store,
        run: Path,
        config_file: Path,
        spread: SpreadConfig = ONE_PROCESS,
        remark: Callable[[Stage, Store], str] = lambda stage, store: "",
    ) -> None:
        self._store, self._run = store, run
        self._child = WorkerProcess(config_file)
        self._spread = Spread(spread, store, config_file)
        self._console = Console(stderr=True, highlight=False)
        self._remark = remark

    def plan(self, stages: Sequence[Stage]) -> list[Outcome]:
        """Prints for each stage whether it would run, with its expected time. Returns the outcomes of the stages.

        Writes plan.json, unless the run folder has the results of an earlier run. Downloads the results that warnings
        and estimates read, if only the remote store has them.
        """
        outcomes = [self._store.look(stage) for stage in stages]
        expected = ExpectedSeconds(self._store.root)
        planned = [outcome.stage for outcome in outcomes if outcome.status == "planned"]
        seconds = {stage.label: expected(stage) for stage in planned}
        if not has_results(self._run):
            self._write_plan(outcomes, seconds)
        for outcome in outcomes:
            self._show(outcome, seconds.get(outcome.stage.label))
        if seconds:
            line = describe_expected(list(seconds.items()), expected.advice(planned))
            self._console.print(f"  {escape(line)}", soft_wrap=True)
        if note := compilation(planned):
            self._console.print(f"  {escape(note)}", soft_wrap=True)
        if asked := judge_estimate(planned, expected, self._store):
            self._console.print(f"  {escape(asked.line())}", soft_wrap=True)
        with converted.described(stages, self._store):
            for line in quantized_bases(planned):
                self._console.print(f"  {escape(line)}", soft_wrap=True)
            self._check_models(planned, download=False)
        return outcomes

    def execute(self, stages: Sequence[Stage], begin: Callable[[], None] = lambda: None) -> list[Outcome]:
        """Runs the stages whose results the store lacks, and returns the outcomes of all stages.

        Rewrites plan.json after each stage, also after a failure. `begin`: a function that is called after the checks
        for packages, GPUs and keys, before anything is written. Raises the errors of these checks and of the stages.
        """
        outcomes = [self._store.look(stage) for stage in stages]
        missing = [outcome.stage for outcome in outcomes if outcome.status == "planned"]
        self._spread.check(missing)
        check_requirements(missing, self._spread.on_other_machines)
        begin()
        self._write_plan(outcomes)
        self._remember_run(bool(missing))
        models = sum(stage.name == converted.STAGE for stage in stages)  # conversions of GGUF files stand first
        with contextlib.closing(self._child):
            self._execute(stages[:models], outcomes)
            converted.use(stages[:models], self._store)
            self._check_models(missing, download=True)
            self._execute(stages, outcomes, models)
        return outcomes

    def _remember_run(self, makes_results: bool) -> None:
        if makes_results or self._store.writable:
            self._store.remember_run(self._run)
        else:
            line = f"store={self._store.root} is read-only and cannot record this run: `prune` may remove its results"
            self._console.print(f"  {escape(line)}", soft_wrap=True)

    def _check_models(self, stages: Sequence[Stage], download: bool) -> None:
        for line in check_models(stages, download):
            self._console.print(f"  {escape(line)}", soft_wrap=True)

    def _execute(self, stages: Sequence[Stage], outcomes: list[Outcome], start: int = 0) -> None:
        judge_announced = False
        for place, stage in enumerate(stages[start:], start):
            if outcomes[place].status == "planned" and stage.name in JUDGING and not judge_announced:
                self._announce_judge([outcome.stage for outcome in outcomes[place:] if outcome.status == "planned"])
                judge_announced = True
            if outcomes[place].status == "planned":
                self._console.print(f"  [dim]…[/] {escape(stage.label)}")
            try:
                outcomes[place] = self._ensure(stage, stages[place + 1 :])
                if outcomes[place].status == "reused" and stage.name not in _LARGE:
                    self._store.checked(stage)  # its files are shown or linked at the end
            except BaseException:
                outcomes[place] = Outcome(stage, self._store.path(stage), "failed", 0.0, {})
                self._write_plan(outcomes)
                self._show(outcomes[place])
                raise
            self._show(outcomes[place])
            self._write_plan(outcomes)

    def _announce_judge(self, stages: Sequence[Stage]) -> None:
        """Prints the requests of all stages of the judge together. The log has the requests of each stage."""
        if asked := judge_estimate(stages, ExpectedSeconds(self._store.root), self._store):
            self._console.print(f"  {escape(asked.line())}", soft_wrap=True)

    def _ensure(self, stage: Stage, following: Sequence[Stage]) -> Outcome:
        if not self._spread.takes(stage):
            return self._store.ensure(stage, self._make)
        self._child.close()  # frees its GPUs
        outcome = self._store.ensure(stage, lambda stage, out: self._spread.make(stage, out, following))
        self._spread.remove_shards(stage)
        return outcome

    def _make(self, stage: Stage, out: Path) -> None:
        name = stage.process or (stage.label if os.environ.get(_FORCED) else None)
        if name:
            self._child.run(name, stage, out)
            return
        self._child.close()  # frees the GPU of the child process, which a later stage may need
        tracking.enter_stage(stage.label)
        try:
            self._store.call(stage, out)
        finally:
            tracking.active().end_run()

    def _show(self, outcome: Outcome, expected: float | None = None) -> None:
        marks = {
            "ran": "[green]✓[/] ran    ",
            "reused": "[blue]=[/] reused ",
            "planned": "· planned",
            "failed": "[red]✗[/] failed ",
        }
        counts = ", ".join(
            f"{_number(value)} {name.replace('_', ' ')}" for name, value in list(outcome.counts.items())[:3]
        )
        seconds = f"{outcome.seconds:8.1f} s" if outcome.status in ("ran", "reused") else " " * 10
        if expected is not None:
            seconds = f"{'about ' + duration(expected):>10}"
        label = escape(f"{outcome.stage.label:<22}")
        self._console.print(f"  {marks[outcome.status]} {label}{seconds}  [dim]{counts}[/]", soft_wrap=True)
        if outcome.status not in ("ran", "reused"):
            return
        if outcome.stage.name == "select":
            self._show_choice(outcome)
        if remark := self._remark(outcome.stage, self._store):
            self._console.print(f"    [yellow]warning:[/] {escape(remark)}", soft_wrap=True)

    def _show_choice(self, outcome: Outcome) -> None:
        choice: Choice = json.loads((self._store.obtain(outcome.stage) / CHOICE).read_text(encoding="utf-8"))
        self._console.print(f"    {escape(selection.describe(outcome.stage.part, choice))}", soft_wrap=True)
        if warning := selection.edge_warning(outcome.stage.part, choice):
            self._console.print(f"    [yellow]warning:[/] {escape(warning)}", soft_wrap=True)

    def _write_plan(self, outcomes: list[Outcome], expected: Mapping[str, float | None] | None = None) -> None:
        """Writes plan.json. `expected`: seconds of the planned stages of a dry run by label, None where unknown."""
        rows = [outcome.as_dict() for outcome in outcomes]
        for row in rows:
            if expected and row["stage"] in expected:
                row["expected"] = expected[row["stage"]]
        write_atomically(self._run / "plan.json", json.dumps(rows, indent=1))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
