"""Stage `judge_pairs`: a language model compares the replies of two arms to the test questions."""

from pathlib import Path

from raft_exp.core.records import write_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.judge.config import JudgeConfig
from raft_exp.evaluation.judge.pairs import PairJudging
from raft_exp.evaluation.judge.replies import ReplyForm, judged_replies
from raft_exp.evaluation.judge.rows import PAIRS
from raft_exp.evaluation.judge.stage import write_summary

VERSION = 1


@config_dataclass
class JudgePairsStage:
    """Settings that change the comparisons. The names of the arms are not among them."""

    judge: JudgeConfig  # with its task `pair` alone
    weights: dict[str, str]  # content hashes of a local judge
    form: ReplyForm


@stage("judge_pairs", VERSION, resumable=True)
def judge_pairs(
    config: JudgePairsStage, *, test: Path, questions: Path, answers_a: Path, answers_b: Path, out: Path
) -> None:
    """Writes pairs.jsonl (`rows.PairJudgement`), judge.json and counts.json.

    `test`: folder of the test rows. `answers_a`, `answers_b`: folders of the stages `evaluate` of the two arms. Raises
    BudgetError if the budget of the judge is used up, and ServerError if its server gives no usable reply. A repeated
    run then requests only the missing replies.
    """
    from raft_exp.tasks.backends import LazyEngine
    from raft_exp.tasks.model import cleaner, identity
    from raft_exp.tasks.runner import TaskRunner

    task = config.judge.pair
    assert task is not None, "only made for a judge with the task `pair`"
    a, b = (judged_replies(config.form, test, questions, answers, False) for answers in (answers_a, answers_b))
    job = PairJudging(task, list(zip(a, b, strict=True)), cleaner(config.judge))
    model, engine = identity(config.judge, config.weights), LazyEngine(out)
    TaskRunner(config.judge, model, job, out, engine, prints=False).settle()
    rows = list(job.rows())
    write_jsonl(out / PAIRS, rows)
    missing = sum(row["value"] is None for row in rows)
    write_summary(out, config.judge, [job.tally], len(rows), len(rows), {"missing": missing})
