"""The requests, tokens and cost of a study's judge."""

from raft_exp.apps.plan.figures import Figure, LeftOut, Unit
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.pipeline.judge_requests import SAMPLE, STAGES, judge_estimate
from raft_exp.tasks.model import ServerModel

_NO_TEST_ROWS = "unknown before the test rows are in the store (until=dataset)"


def requests(study: PlannedStudy, left: LeftOut) -> list[Figure]:
    """Returns the requests to the judge with their tokens and cost; [] for a study without a judge.

    `left`: receives a line for each figure that cannot be computed.
    """
    planned = [stage for name in STAGES for stage in study.missing(name)]
    judge = study.config.evaluation.judge
    if judge is None:
        return []
    if isinstance(judge, ServerModel) and judge.prices is None:
        left.say("cost of the judge: no price is set; give evaluation.judge.prices={prompt: ..., reply: ...}")
    estimate = judge_estimate(planned, study.expected, study.store)
    if estimate is None:
        source = "the judgements are in the store"
        return [{"what": "requests to the judge", "value": 0, "unit": "requests", "basis": "counted", "source": source}]
    source = "one for each reply and task, two for each pair; replies in the ledger are not paid again, and unusable "
    source += "ones are requested again"
    if estimate.requests is None:
        left.say("requests to the judge: unknown before the questions are made; run the study with until=questions")
    read, written = estimate.prompt_tokens, estimate.reply_tokens
    counted = f"prompts of up to {SAMPLE} questions with replies of the largest size, four bytes a token"
    figures = [
        _figure("requests to the judge", estimate.requests, "requests", source),
        _figure("prompt tokens for the judge", read, "tokens", counted if read is not None else _NO_TEST_ROWS),
        _figure("reply tokens for the judge", written, "tokens", "replies of max_new_tokens of each task"),
    ]
    if cost := estimate.cost():
        source = f"{cost[0]:.4g} for prompts alone"
        figures.append(_figure("cost of the judge", cost[1], "of the prices' currency", source))
    return figures


def _figure(what: str, value: float | None, unit: Unit, source: str) -> Figure:
    return {"what": what, "value": value, "unit": unit, "basis": "estimated", "source": source, "at_most": True}
