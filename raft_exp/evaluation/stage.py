"""Stage `evaluate`: generates the replies of one arm to the test questions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from raft_exp import engines
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Answer, Example, Messages, append_complete_lines, dumps, read_jsonl, write_jsonl
from raft_exp.core.schema import KeyedWhenSet, Runtime, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.engines import Engine, EngineConfig, Request
from raft_exp.evaluation.asking import ArmPrompts
from raft_exp.evaluation.chosen_prompt import EXAMPLES, chosen_examples, chosen_prompt
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.models.tokens import encode_prompt
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.prompts import PromptConfig

VERSION = 1
ANSWERS = "answers.jsonl"


class AnswerRow(TypedDict):
    """One row of answers.jsonl."""

    id: str
    raw: str
    truncated: bool
    prompt_tokens: int
    new_tokens: int
    filtered: NotRequired[Literal[True]]  # absent where false, so that engines without a filter write the same bytes
    log_probability: NotRequired[float]  # absent where it is not known


@config_dataclass
class EvaluateStage:
    """Settings that change an arm's answers. Decoding is greedy, so there is no seed."""

    model: ModelConfig | None  # None: the model is behind a server and named in `engine`
    engine: EngineConfig
    prompt: PromptConfig
    prompt_mode: str
    context: Literal["none", "passages"]
    cot: bool
    adapter: Runtime[str | None]  # a ready adapter folder; its content is in the key
    token_probabilities: KeyedWhenSet[bool] = False  # answers.jsonl has the mean log probability of each reply
    # The task of the questions, for a prompt that was chosen on questions of another corpus. None: the prompt's own.
    task: KeyedWhenSet[str | None] = None


@stage("evaluate", VERSION, resumable=True)
def evaluate(
    config: EvaluateStage,
    *,
    test: Path,
    out: Path,
    adapter: Path | None = None,
    examples: Path | None = None,
    chosen: Path | None = None,
) -> None:
    """Writes answers.jsonl, counts.json and timings.json. Answers of an interrupted run in `out` are reused.

    - `test`: folder of the test rows.
    - `adapter`: folder of a train stage; None to use the adapter `config.adapter`, or no adapter if that is None too.
    - `examples`: folder of worked examples (`dataset.few_shot.worked_examples`) for the prompts.
    - `chosen`: folder of a select stage. The prompt in this folder replaces `config.prompt`, and `config.task`, if set,
      replaces the task of that prompt. If `examples` is None, the worked examples of this folder are used.
    """
    began = time.perf_counter()
    if chosen is not None:
        config, examples = replace(config, prompt=_chosen(config, chosen)), examples or chosen_examples(chosen)
    asked = list(_requests(config, test, examples))
    requests = [request for request, _ in asked]
    append_complete_lines(out / ANSWERS)
    before = _read(out)
    if len(before) < len(requests):
        engine = engines.load(config.engine, *_weights(config, adapter), out)
        answers = _generated(engine, requests, frozenset(before), config.token_probabilities)
        with (out / ANSWERS).open("a", encoding="utf-8", newline="\n") as file:
            for answer in track(answers, "answering", len(requests), len(before)):
                file.write(dumps(_row(answer)) + "\n")
                file.flush()
    finished = _read(out)
    _write_in_order(out, [finished[request.id] for request in requests])
    shown = _examples_shown([count for _, count in asked]) if examples else {}
    _write_counts(out, [finished[request.id] for request in requests], shown)
    seconds = time.perf_counter() - began
    (out / "timings.json").write_text(
        json.dumps({"seconds": seconds, "answers": len(finished) - len(before)}) + "\n", encoding="utf-8"
    )


def _chosen(config: EvaluateStage, choice: Path) -> PromptConfig:
    prompt = chosen_prompt(choice)
    return prompt if config.task is None else replace(prompt, task=config.task)


def _generated(
    engine: Engine, requests: Sequence[Request], answered: frozenset[str], probabilities: bool
) -> Iterator[Answer]:
    """Returns the engine's answers. The argument for probabilities is passed only if set: older engines lack it."""
    if probabilities:
        return engine.generate(requests, answered, log_probabilities=True)
    return engine.generate(requests, answered)


def _weights(config: EvaluateStage, trained: Path | None) -> tuple[ModelConfig | None, Path | None]:
    """Returns the model to load (None for a server) and its adapter, if any. `trained`: folder of a train stage."""
    if trained is None:
        return config.model, Path(config.adapter) if config.adapter else None
    weights = TrainedWeights.open(trained)
    if config.model is None:  # behind a server: its engine refuses trained weights
        return None, weights.folder
    return weights.model_config(config.model), weights.adapter


def _requests(config: EvaluateStage, test: Path, examples: Path | None) -> Iterator[tuple[Request, int]]:
    """Yields the requests to the engine, each with the number of worked examples in its prompt."""
    worked = read_jsonl(examples / EXAMPLES, Example) if examples else ()
    asked = ArmPrompts(config.prompt, config.prompt_mode, config.cot, config.model, list(worked))
    encode = _encoder(config.model) if config.model else None
    for row in read_jsonl(test / "rows.jsonl", Example):
        messages, shown = asked(row.question, row.context if config.context == "passages" else None)
        yield Request(row.id, encode(row.id, messages) if encode else [], messages), shown


def _encoder(model: ModelConfig) -> Callable[[str, Messages], list[int]]:
    tokenizer = tokenizer_of(model)
    budget = model.max_length - model.max_new_tokens

    def encode(item: str, messages: Messages) -> list[int]:
        ids = encode_prompt(tokenizer, messages)
        if len(ids) > budget:  # the dataset stage fits prompts by the same count
            raise DataError(
                f"question {item}: its prompt has {len(ids)} tokens, but model.max_length - model.max_new_tokens "
                f"allows {budget}; build the dataset again with these settings"
            )
        return ids

    return encode


def _row(answer: Answer) -> AnswerRow:
    row: AnswerRow = {
        "id": answer.id,
        "raw": answer.raw,
        "truncated": answer.truncated,
        "prompt_tokens": answer.prompt_tokens,
        "new_tokens": answer.new_tokens,
    }
    if answer.filtered:
        row["filtered"] = True
    if answer.log_probability is not None:
        row["log_probability"] = answer.log_probability
    return row


def _read(out: Path) -> dict[str, Answer]:
    if not (out / ANSWERS).exists():
        return {}
    return {answer.id: answer for answer in read_jsonl(out / ANSWERS, Answer)}


def _write_in_order(out: Path, answers: list[Answer]) -> None:
    write_jsonl(out / f"{ANSWERS}.new", map(_row, answers))
    (out / f"{ANSWERS}.new").replace(out / ANSWERS)


def _write_counts(out: Path, answers: list[Answer], more: Mapping[str, int]) -> None:
    counts = {
        "answers": len(answers),
        "truncated": sum(answer.truncated for answer in answers),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "new_tokens": sum(answer.new_tokens for answer in answers),
    }
    if filtered := sum(answer.filtered for answer in answers):
        counts["filtered"] = filtered
    (out / "counts.json").write_text(json.dumps({**counts, **more}) + "\n", encoding="utf-8")


def _examples_shown(counts: Sequence[int]) -> dict[str, int]:
    """Returns the number of worked examples in all prompts together, and the most and fewest in one prompt."""
    return {"examples": sum(counts), "most_examples": max(counts), "fewest_examples": min(counts)}
