"""The parts of the paper: a table or figure on one data set, with its finished runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from raft_exp.core.audit import StudyAudit
from raft_exp.core.plan import PlanRow
from raft_exp.evaluation.results import Figure
from raft_exp.reporting import pooling
from raft_exp.reporting.published import PublishedCorpus, metric_of, paper
from raft_exp.reporting.runs import Run
from raft_exp.reporting.settings import RunGroup, number, settings

Study = Literal["table1", "p_sweep", "distractors"]
_UNKNOWN: PublishedCorpus = {"name": "", "table": "", "figures": {}}


@dataclass(frozen=True)
class PaperPart:
    """A table or figure of the paper on one data set.

    `corpus`: key of the data set in published.yaml. `failure`: why runs are missing; "" if no run is missing.
    """

    study: Study
    corpus: str
    runs: Sequence[Run]
    failure: str = ""

    @property
    def published(self) -> PublishedCorpus:
        """The paper's figures on the data set."""
        return paper()["corpora"].get(self.corpus, {**_UNKNOWN, "name": self.corpus})

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.published["name"]

    @cached_property
    def metric(self) -> str:
        """The name of our metric, whose figures are shown beside the paper's figures. Needs at least one run."""
        return metric_of(self.published, self.runs[0].results["metrics"])

    @cached_property
    def groups(self) -> list[RunGroup]:
        """The runs, grouped by setting: runs in one group differ only in their seed."""
        return settings(self.runs)[0] if self.runs else []

    def over(self, field: str) -> Iterator[tuple[float, RunGroup]]:
        """Yields (value, group) for the groups that set `field` to a number, in the order of the values."""
        values = [(number(next(iter(group.runs.values())).setting(field)), group) for group in self.groups]
        yield from sorted(((value, group) for value, group in values if value is not None), key=lambda pair: pair[0])

    def figure(self, group: RunGroup, arm: str, condition: str = "") -> Figure | None:
        """Returns an arm's figure in `metric` over the seeds of a group; None if the arm has no figure."""
        has = pooling.arms_under(group, condition) if condition else group.arms
        return pooling.figure(group, arm, self.metric, pooling.Part(condition=condition)) if arm in has else None


def training_rows(run: Run) -> int | None:
    """Returns the number of rows in the raft training set of a run; None if it is unknown."""
    audit: StudyAudit | None = _read_json(run.folder / "audit.json")
    splits = audit["datasets"].get("raft", {}).get("splits", {}) if audit else {}
    return splits["train"]["rows"] if "train" in splits else None


def corpus_counts(run: Run) -> Mapping[str, int]:
    """Returns the counts of the questions stage of a run; {} if the store no longer has these counts."""
    plan: list[PlanRow] = _read_json(run.folder / "plan.json") or []
    folder = next((Path(row["path"]) for row in plan if row["stage"] == "questions"), None)
    counts: Mapping[str, int] | None = _read_json(folder / "counts.json") if folder else None
    return counts or {}


def _read_json(path: Path) -> Any:
    """Returns the content of a JSON file; None without a readable file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
