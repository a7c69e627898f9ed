"""The requests to a judge that planned stages need, with their tokens and cost, before anything is paid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from raft_exp.core.records import Example, Passage, read_jsonl
from raft_exp.core.stage import Stage
from raft_exp.evaluation.judge.config import JudgeConfig, JudgeTask, PairTask, model_name, tasks_of
from raft_exp.pipeline.estimate import ExpectedSeconds
from raft_exp.pipeline.store import Store
from raft_exp.tasks.budget import words_of
from raft_exp.tasks.model import ServerModel
from raft_exp.tasks.task import Prompts

STAGES = ("judge", "judge_pairs")
SAMPLE = 50  # largest number of test questions whose prompts are rendered to count tokens


@dataclass(frozen=True)
class JudgeEstimate:
    """The requests of planned stages to their judge. Fewer are sent if the ledger has replies to some of them."""

    judge: JudgeConfig
    requests: int | None  # at most; None: the number of test questions is unknown
    prompt_tokens: float | None  # at most; None: the test questions are not in the store
    reply_tokens: int | None  # at most

    def cost(self) -> tuple[float, float] | None:
        """Returns the cost of the prompts alone, and with replies of the largest size, in the currency of the prices.

        Returns None if the prices or the numbers of tokens are unknown.
        """
        prices = self.judge.prices if isinstance(self.judge, ServerModel) else None
        if prices is None or self.prompt_tokens is None or self.reply_tokens is None:
            return None
        least = self.prompt_tokens * prices.prompt / 1e6
        return least, least + self.reply_tokens * prices.reply / 1e6

    def line(self) -> str:
        """Returns the estimate as one line for the terminal."""
        model = model_name(self.judge)
        if self.requests is None:
            return f"judge: number of requests to {model} unknown before the questions are made (until=questions)"
        read = f", at most about {self.prompt_tokens:,.0f} tokens in prompts" if self.prompt_tokens is not None else ""
        line = f"judge: at most {self.requests:,} requests to {model}{read}, at most {self.reply_tokens:,} tokens in "
        line += "replies (unusable replies are requested again)"
        if isinstance(self.judge, ServerModel):
            cost = self.cost()
            known = "set evaluation.judge.prices" if self.judge.prices is None else "before the test rows are made"
            line += f", cost {cost[0]:.3g} to {cost[1]:.3g}" if cost else f", cost unknown ({known})"
        return line


def judge_estimate(stages: Sequence[Stage], expected: ExpectedSeconds, store: Store) -> JudgeEstimate | None:
    """Estimates the requests that the judge's stages in `stages` send at most; None if there is no such stage."""
    judging = [stage for stage in stages if stage.name in STAGES]
    if not judging:
        return None
    judge: JudgeConfig = judging[0].config.judge
    numbers = [expected.items(stage) for stage in judging]
    if any(number is None for number in numbers):
        return JudgeEstimate(judge, None, None, None)
    requests, prompts, replies = 0, 0.0, 0
    unknown = False
    for stage, number in zip(judging, numbers, strict=True):
        for task, each in _tasks(stage):
            requests += each * (number or 0)
            replies += each * (number or 0) * task.max_new_tokens
            tokens = _prompt_tokens(stage, task, store)
            unknown = unknown or tokens is None
            prompts += each * (number or 0) * (tokens or 0.0)
    return JudgeEstimate(judge, requests, None if unknown else prompts, replies)


def _tasks(stage: Stage) -> Iterator[tuple[JudgeTask | PairTask, int]]:
    """Yields the tasks of a stage, each with the largest number of its requests for a test question."""
    config = stage.config
    if stage.name == "judge_pairs":
        yield config.judge.pair, 2
        return
    for task in tasks_of(config.judge).values():
        applies = {"all": True, "answers_from_passages": config.shows_passages}
        if applies.get(task.judges, config.shows_passages and config.refusals):
            yield task, 1


def _prompt_tokens(stage: Stage, task: JudgeTask | PairTask, store: Store) -> float | None:
    """Returns the mean tokens of a prompt with replies of the largest size; None if the test rows are not stored."""
    test = stage.inputs["test"]
    assert isinstance(test, Stage)
    if store.look(test).status != "reused":
        return None
    prompts, reply = Prompts(task, lambda text: text), "word" * _reply_tokens(stage)
    shows = getattr(stage.config, "shows_passages", False)
    rows = islice(_rows(store.obtain(test)), SAMPLE)
    return fmean(words_of(prompts.messages(_passages(row) if shows else [], [], **_values(row, reply))) for row in rows)


def _rows(folder: Path) -> Iterator[Example]:
    return read_jsonl(folder / "rows.jsonl", Example)


def _passages(row: Example) -> list[Passage]:
    return [Passage(one.id, one.document_id, one.title, one.text, one.place, [], "") for one in row.context]


def _values(row: Example, reply: str) -> dict[str, object]:
    """Returns the variables of the templates of all tasks."""
    replies = dict.fromkeys(("reply", "answer", "reply_a", "reply_b"), reply)
    about = {"question": row.question, "references": row.answers, "explanation": ""}
    return {**about, **replies, "gold_shown": row.has_gold, "refusal": ""}


def _reply_tokens(stage: Stage) -> int:
    """Returns the largest number of tokens of a reply of the arm."""
    answers = stage.inputs["answers" if stage.name == "judge" else "answers_a"]
    assert isinstance(answers, Stage)
    model, engine = answers.config.model, answers.config.engine
    return int(model.max_new_tokens if model else engine.max_new_tokens)
