"""Reward functions for TRL's GRPOTrainer. They parse and score replies in the same way as the report.

Each function takes the prompts, the completions (texts, or lists of messages that end with the reply), and the columns
of an exported data set (`export.dataset=prompts` or `dpo`). It returns one reward from 0 to 1 for each completion. The
reward is None for a reply to which the function does not apply; TRL leaves None out of the sum. The functions raise
DataError for a missing column, and for settings that this version cannot read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.evaluation.metrics import METRICS, profile
from raft_exp.evaluation.results import Prediction
from raft_exp.evaluation.scoring import Grading, score_arm
from raft_exp.evaluation.scoring.behaviour import gold_shown
from raft_exp.prompts.reward_settings import RewardSettings

Message = Mapping[str, Any]
Text = str | Sequence[Message]  # a prompt or a completion, as a text or as chat messages

_COLUMNS = ("question", "answers", "context", "has_gold", "names_gold", "grading")


def answer_right(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float]:
    """Returns for each reply its value in the study's primary metric (exact match, accuracy, F1 ...)."""
    del prompts
    return [reply.prediction["metrics"][reply.settings.metric] for reply in _graded(completions, columns)]


def quotes_gold(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float | None]:
    """Returns for each reply the share of its quotes that stand word for word in a gold passage; 0 without quotes.

    The value is None if the prompt shows no passages or does not ask for quotes.
    """
    del prompts
    return [_share_of_gold(reply) for reply in _graded(completions, columns)]


def refusal_right(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float | None]:
    """Returns for each reply 1 if it declines to answer exactly when the prompt has no gold passage; else 0.

    With all gold passages in the prompt, every reply that does not decline has the value 1, even an empty or wrong
    reply. The value is None if the prompt shows only some of the gold passages or no passages, or if the data set names
    no gold passages of the question. The report's shares of abstentions leave out the same replies.
    """
    del prompts
    return [_declines_rightly(reply) for reply in _graded(completions, columns)]


def form_kept(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float]:
    """Returns for each reply 1 if it has the requested form (as in the report's share `parsed`), else 0."""
    del prompts
    return [float(reply.prediction["parsed"]) for reply in _graded(completions, columns)]


@dataclass(frozen=True)
class _Graded:
    example: Example
    settings: RewardSettings
    names_gold: bool
    prediction: Prediction


def _share_of_gold(reply: _Graded) -> float | None:
    quotes = reply.prediction["quotes"]
    if not reply.settings.cot or not reply.example.context:
        return None
    return sum(quote["gold"] for quote in quotes) / len(quotes) if quotes else 0.0


def _declines_rightly(reply: _Graded) -> float | None:
    shown = gold_shown(reply.prediction, reply.example)
    if shown == "some" or not reply.names_gold or not reply.example.context:
        return None
    return float(reply.prediction["abstained"] == (shown == "none"))


def _graded(completions: Sequence[Text], columns: Mapping[str, Sequence[Any]]) -> Iterator[_Graded]:
    for name in _COLUMNS:
        if name not in columns:
            raise DataError(
                f"rewards: the data set has no column {name!r}; train on a file that was exported with "
                "export.dataset=prompts, and set remove_unused_columns=False in the trainer's configuration"
            )
    rows = zip(completions, *(columns[name] for name in _COLUMNS), strict=True)
    for completion, question, answers, context, has_gold, names_gold, grading in rows:
        passages = [ContextPassage(**passage) for passage in context or []]
        settings = _settings(grading)
        example = Example("reply", question, answers, passages, has_gold, "", False, [], "train")
        answer = Answer(example.id, _text(completion), truncated=False, prompt_tokens=0, new_tokens=0)
        (prediction,) = score_arm("reward", [example], [answer], _grading(settings, bool(passages))).rows
        yield _Graded(example, settings, names_gold, prediction)


def _settings(grading: Mapping[str, Any]) -> RewardSettings:
    try:
        settings = RewardSettings(**grading)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, ("grading", *problem["loc"])))
        raise DataError(f"rewards: {place}: {problem['msg']}; export the data again with this version") from None
    if settings.metric not in METRICS:
        raise DataError(
            f"rewards: grading.metric: got {settings.metric!r}, which this version does not have; export the data "
            "again with this version"
        )
    metric = METRICS[settings.metric]
    if metric.observe is None or not metric.per_row:
        raise DataError(
            f"rewards: grading.metric: got {settings.metric!r}, which has no value for a single reply; set "
            "evaluation.primary.metric to another metric, and export the data again"
        )
    return settings


def _grading(settings: RewardSettings, shown: bool) -> Grading:
    return Grading(
        replace(profile(settings.corpus), metrics=(settings.metric,)),
        shown=shown,
        reply_format=settings.reply_format,
        reasons=settings.cot,
        refusal=settings.refusal,
        min_quote_words=settings.min_quote_words,
    )


def _text(completion: Text) -> str:
    """Returns the text of a reply; of a list of messages, the text of the last one."""
    return completion if isinstance(completion, str) else str(completion[-1]["content"] or "")
