"""Rewards of replies in the signature of TRL's GRPOTrainer, computed by the parser and the scorers of the report.

Each function takes the prompts, the completions (texts, or lists of messages that end with the reply), and the columns
of an exported data set (`export.dataset=prompts` or `dpo`). It returns one reward for each completion, from 0 to 1, or
None for a reply to which the reward does not apply; TRL leaves None out of the sum. The functions raise DataError for a
missing column, and for settings that this version cannot read.
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
    """Returns the study's primary metric of each reply: exact match, accuracy, F1, ..."""
    del prompts
    return [reply.prediction["metrics"][reply.settings.metric] for reply in _graded(completions, columns)]


def quotes_gold(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float | None]:
    """Returns the share of each reply's quotes that stand word for word in a gold passage; 0 without quotes.

    Returns None for a prompt that shows no passages or asks for no quotes.
    """
    del prompts
    return [_share_of_gold(reply) for reply in _graded(completions, columns)]


def refusal_right(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float | None]:
    """Returns 1 for a reply that answers a prompt with all gold passages, or declines a prompt without gold; else 0.

    Returns None for a prompt with some of the gold passages, for a prompt without passages, and for a question without
    known gold passages. The metrics of abstentions leave these out too.
    """
    del prompts
    return [_declines_rightly(reply) for reply in _graded(completions, columns)]


def form_kept(prompts: Sequence[Text], completions: Sequence[Text], **columns: Sequence[Any]) -> list[float]:
    """Returns 1 for a reply in the requested form (the share `parsed` of the report), else 0."""
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
                f"rewards: the data set has no column {name!r}; train on a file of export.dataset=prompts, with "
                "remove_unused_columns=False"
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
        raise DataError(f"rewards: grading.metric: got {settings.metric!r}; export the data again with this version")
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
