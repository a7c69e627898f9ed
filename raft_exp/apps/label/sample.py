"""Draws the replies of a sheet: the same questions for all arms, without the names of the arms."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Answer, read_jsonl
from raft_exp.core.sampling import HashSample
from raft_exp.evaluation.judge.labels import label_id
from raft_exp.evaluation.judge.replies import JudgedReply, ReplyForm, judged_replies
from raft_exp.evaluation.judge.rows import read_judgements
from raft_exp.pipeline.run import FinishedRun

_PURPOSE = "labels"


@dataclass(frozen=True)
class SheetReply:
    """A reply of the sheet. `name`: its label_id. `tasks`: the tasks that apply to it."""

    name: str
    shown: JudgedReply
    tasks: list[str]


@dataclass(frozen=True)
class Sample:
    """The replies of a sheet, in an order that does not reveal their arms."""

    replies: list[SheetReply]
    questions: int
    arms: int


def draw(run: FinishedRun, n: int, tasks: Collection[str], seed: int) -> Sample:
    """Draws about `n` replies: n divided by the number of arms, rounded down, is the number of questions.

    A sample with a smaller n is a part of a larger one with the same seed. Replies to which none of the `tasks` applies
    are left out. Raises ConfigError if n is smaller than the number of arms, and the errors of `FinishedRun.path`.
    """
    arms = run.config.evaluation.arms
    if n < len(arms):
        raise ConfigError(f"n: got {n}, but there are {len(arms)} arms; must be at least {len(arms)}")
    by_arm = {arm: list(_replies(run, arm)) for arm in arms}
    ids = [shown.id for _, shown in by_arm[arms[0]]]
    chosen = HashSample(ids, lambda _: n // len(arms), seed, _PURPOSE)
    replies = []
    for arm, of_arm in by_arm.items():
        judged = _tasks(run, arm, tasks)
        for raw, shown in of_arm:
            if shown.id in chosen and (applying := judged.get(shown.id)):
                replies.append(SheetReply(label_id(arm, shown.id, raw), shown, applying))
    return Sample(sorted(replies, key=lambda reply: reply.name), len(chosen), len(arms))


def _replies(run: FinishedRun, arm: str) -> Iterator[tuple[str, JudgedReply]]:
    """Yields each reply of an arm: the whole text, and what the judge sees of it."""
    config, settings = run.config, run.config.arms[arm]
    form = ReplyForm(config.prompt.reply_format, config.prompt.refusal)
    test = run.path("dataset[test_gold]" if settings.context == "gold" else "dataset[test]")
    answers = run.path(f"evaluate[{arm}]")
    raw = {answer.id: answer.raw for answer in read_jsonl(answers / "answers.jsonl", Answer)}
    for shown in judged_replies(form, test, run.path("questions"), answers, settings.shows_passages):
        yield raw.get(shown.id, ""), shown


def _tasks(run: FinishedRun, arm: str, tasks: Collection[str]) -> dict[str, list[str]]:
    """Returns {id of a question: those of the `tasks` in which the judge judged the arm's reply}."""
    judged: dict[str, list[str]] = {}
    for row in read_judgements(run.path(f"judge[{arm}]")):
        if row["task"] in tasks:
            judged.setdefault(row["id"], []).append(row["task"])
    return judged
