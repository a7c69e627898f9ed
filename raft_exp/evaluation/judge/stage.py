"""Stage `judge`: a language model judges the replies of one arm to the test questions."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from raft_exp.core.records import write_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.judge.config import JudgeConfig, model_name, tasks_of, versions
from raft_exp.evaluation.judge.replies import ReplyForm, judged_replies
from raft_exp.evaluation.judge.rows import JUDGEMENTS
from raft_exp.evaluation.judge.single import ReplyJudging, judged_in
from raft_exp.tasks.counts import PaidReplies

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
    """The content of judge.json: the judge, its tasks, its numbers of replies and tokens, and the cost."""

    model: str
    versions: dict[str, str]  # setting of a task -> name and version of its file
    claims: list[str]  # the tasks with claims, whose values are shares
    replies: int
    prompt_tokens: int
    new_tokens: int
    cost: float | None  # None: a reply has no price
    # Key of a request -> prompt tokens, new tokens and cost of its reply. Other arms may have the same request, which
    # is paid once. Absent in files of earlier versions.
    paid: NotRequired[dict[str, tuple[int, int, float | None]]]


class Spent(TypedDict):
    """The replies of a judge, with their tokens and cost."""

    replies: int
    prompt_tokens: int
    new_tokens: int
    cost: float | None  # None: a reply has no price


@stage("judge", VERSION, resumable=True)
def judge(config: JudgeStage, *, test: Path, questions: Path, answers: Path, out: Path) -> None:
    """Writes judgements.jsonl (`rows.Judgement`), judge.json (`JudgeSummary`) and counts.json.

    `test`: folder of the arm's test rows. `answers`: folder of the arm's stage `evaluate`. The judge's replies are
    stored in its ledger, so that a repeated run requests only the missing ones. Raises BudgetError if the budget of the
    judge is used up, and ServerError if its server gives no usable reply.
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
        TaskRunner(config.judge, model, jobs[-1], out, engine, prints=False).settle()
    rows = [job.rows[reply.id] for reply in replies for job in jobs if reply.id in job.rows]
    write_jsonl(out / JUDGEMENTS, rows)
    missing = {f"missing_{job.name_of_task}": job.tally.counts["quarantined"] for job in jobs}
    write_summary(out, config.judge, [job.tally for job in jobs], len(rows), len(replies), missing)


def write_summary(
    out: Path, judge: JudgeConfig, tallies: Sequence[PaidReplies], rows: int, questions: int, missing: Mapping[str, int]
) -> None:
    """Writes judge.json and counts.json.

    `rows`: number of judgements, those with a missing value included. `questions`: number of test questions. `missing`:
    name of a count -> number of missing values.
    """
    paid = {key: reply for tally in tallies for key, reply in tally.paid.items()}
    summary: JudgeSummary = {
        "model": model_name(judge),
        "versions": versions(judge),
        "claims": [name for name, task in tasks_of(judge).items() if task.reply == "claims"],
        **_sum(paid.values()),
        "paid": paid,
    }
    (out / SUMMARY).write_text(json.dumps(summary) + "\n", encoding="utf-8")
    counts: dict[str, float] = {"rows": rows, "missing": sum(missing.values()), "replies": summary["replies"]}
    counts |= {"questions": questions, "prompt_tokens": summary["prompt_tokens"], "new_tokens": summary["new_tokens"]}
    if summary["cost"] is not None:
        counts["cost"] = summary["cost"]
    counts |= missing if len(missing) > 1 else {}
    (out / "counts.json").write_text(json.dumps(counts) + "\n", encoding="utf-8")


def spent(summaries: Sequence[JudgeSummary]) -> Spent:
    """Returns the replies, tokens and cost of several stages together. A reply that stages share counts once."""
    paid = {key: reply for summary in summaries for key, reply in summary.get("paid", {}).items()}
    parts: list[Spent | JudgeSummary] = [_sum(paid.values()), *(one for one in summaries if "paid" not in one)]
    costs = [part["cost"] for part in parts]
    known = [cost for cost in costs if cost is not None]
    return {
        "replies": sum(part["replies"] for part in parts),
        "prompt_tokens": sum(part["prompt_tokens"] for part in parts),
        "new_tokens": sum(part["new_tokens"] for part in parts),
        "cost": round(sum(known), 6) if len(known) == len(costs) else None,
    }


def _sum(paid: Collection[tuple[int, int, float | None]]) -> Spent:
    known = [cost for *_, cost in paid if cost is not None]
    return {
        "replies": len(paid),
        "prompt_tokens": sum(prompt for prompt, _, _ in paid),
        "new_tokens": sum(new for _, new, _ in paid),
        "cost": round(sum(known), 6) if len(known) == len(paid) else None,
    }
