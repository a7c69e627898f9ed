"""Stage `judge`: a language model judges the replies of one arm to the test questions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from raft_exp.core.records import write_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.judge.config import JudgeConfig, model_name, tasks_of, versions
from raft_exp.evaluation.judge.replies import ReplyForm, judged_replies
from raft_exp.evaluation.judge.rows import JUDGEMENTS
from raft_exp.evaluation.judge.single import ReplyJudging, judged_in
from raft_exp.tasks.counts import ReplyCounts

VERSION = 1
SUMMARY = "judge.json"


@config_dataclass
class JudgeStage:
    """Settings that change the judgements. The name of the arm is not among them."""

    judge: JudgeConfig  # without its task `pair`
    weights: dict[str, str]  # content hashes of a local judge
    form: ReplyForm
    shows_passages: bool  # the prompts of the arm have passages
    refusals: bool  # the study has refusals: an arm may learn them, or a context may lack the gold


class JudgeSummary(TypedDict):
    """The content of judge.json: which judge was asked, and how much."""

    model: str
    versions: dict[str, str]  # setting of a task -> name and version of its file
    claims: list[str]  # the tasks with claims, whose values are shares
    replies: int
    prompt_tokens: int
    new_tokens: int
    cost: float | None  # None: a reply has no price


@stage("judge", VERSION, resumable=True)
def judge(config: JudgeStage, *, test: Path, questions: Path, answers: Path, out: Path) -> None:
    """Writes judgements.jsonl (`rows.Judgement`), judge.json (`JudgeSummary`) and counts.json.

    `test`: folder of the arm's test rows. `answers`: folder of its stage `evaluate`. The judge's replies are stored in
    its ledger, so that a killed run requests only the missing ones. Raises BudgetError and ServerError.
    """
    from raft_exp.tasks.backends import LazyEngine
    from raft_exp.tasks.model import cleaner, identity
    from raft_exp.tasks.runner import TaskRunner

    replies = list(judged_replies(config.form, test, questions, answers, config.shows_passages))
    model, clean, engine = identity(config.judge, config.weights), cleaner(config.judge), LazyEngine(out)
    jobs: list[ReplyJudging] = []
    for name, task in tasks_of(config.judge).items():
        judged = judged_in(task, replies, config.refusals)
        jobs.append(ReplyJudging(name, task, judged, config.form.refusal, clean))
        TaskRunner(config.judge, model, jobs[-1], out, engine).settle()
    rows = [job.rows[reply.id] for reply in replies for job in jobs if reply.id in job.rows]
    write_jsonl(out / JUDGEMENTS, rows)
    missing = {f"missing_{job.name_of_task}": job.tally.counts["quarantined"] for job in jobs}
    write_summary(out, config.judge, [job.tally for job in jobs], len(rows), len(replies), missing)


def write_summary(
    out: Path, judge: JudgeConfig, tallies: Sequence[ReplyCounts], rows: int, questions: int, missing: Mapping[str, int]
) -> None:
    """Writes judge.json and counts.json.

    `rows`: number of rows with a value or a missing value. `questions`: number of test questions. `missing`: name of a
    count -> number of missing values.
    """
    figures = [tally.figures() for tally in tallies]
    costs = [figure.get("cost") for figure in figures if "replies" in figure]
    known = [cost for cost in costs if cost is not None]
    summary: JudgeSummary = {
        "model": model_name(judge),
        "versions": versions(judge),
        "claims": [name for name, task in tasks_of(judge).items() if task.reply == "claims"],
        "replies": sum(figure.get("replies", 0) for figure in figures),
        "prompt_tokens": sum(figure.get("prompt_tokens", 0) for figure in figures),
        "new_tokens": sum(figure.get("new_tokens", 0) for figure in figures),
        "cost": round(sum(known), 6) if len(known) == len(costs) else None,
    }
    (out / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    counts: dict[str, float] = {"rows": rows, "missing": sum(missing.values()), "replies": summary["replies"]}
    counts |= {"questions": questions, "prompt_tokens": summary["prompt_tokens"], "new_tokens": summary["new_tokens"]}
    if summary["cost"] is not None:
        counts["cost"] = summary["cost"]
    counts |= missing if len(missing) > 1 else {}
    (out / "counts.json").write_text(json.dumps(counts) + "\n", encoding="utf-8")
