"""Stage `evaluate`: generates the replies of one arm to the test questions."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from raft_exp import engines
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Answer, Example, Messages, append_complete_lines, dumps, read_jsonl
from raft_exp.core.schema import KeyedWhenSet, Runtime, config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.engines import Engine, EngineConfig, Request
from raft_exp.evaluation.answer_files import (
    ANSWERS,
    TIMINGS,
    examples_shown,
    read_answers,
    row_of,
    write_answers,
    write_counts,
    write_timings,
)
from raft_exp.evaluation.asking import ArmPrompts
from raft_exp.evaluation.chosen_prompt import EXAMPLES, chosen_examples, chosen_prompt
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.models.tokens import encode_prompt
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.prompts import PromptConfig

VERSION = 1


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


def compute_shard(
    config: EvaluateStage,
    *,
    test: Path,
    shard: Shard,
    out: Path,
    adapter: Path | None = None,
    examples: Path | None = None,
    chosen: Path | None = None,
) -> None:
    """Writes answers.jsonl and timings.json of the shard's questions. A shard has whole batches of the engine."""
    began = time.perf_counter()
    config, examples = _with_choice(config, examples, chosen)
    requests = [request for request, _ in _requests(config, test, examples)]
    groups = engines.groups(config.engine, config.model, requests)
    others = {request.id for number, group in enumerate(groups) if not shard.holds(number) for request in group}
    generated = _answer(config, requests, frozenset(others), adapter, out)
    write_timings(out, time.perf_counter() - began, generated)


def join_shards(
    config: EvaluateStage,
    *,
    test: Path,
    shards: Sequence[Path],
    out: Path,
    adapter: Path | None = None,
    examples: Path | None = None,
    chosen: Path | None = None,
) -> None:
    """Writes the files of `evaluate` from the answers of all shards. timings.json has the sum of their seconds."""
    write_answers(out, (answer for folder in shards for answer in read_answers(folder).values()))
    evaluate(config, test=test, out=out, adapter=adapter, examples=examples, chosen=chosen)  # generates no answer
    timings = [json.loads((folder / TIMINGS).read_text(encoding="utf-8")) for folder in shards]
    write_timings(out, sum(each["seconds"] for each in timings), sum(each["answers"] for each in timings))


def _can_be_sharded(config: EvaluateStage) -> bool:
    """Whether several processes may answer: not with a server, because one process applies the limits on requests."""
    return config.engine.name != "openai"


def _cut_by(config: EvaluateStage) -> int | None:
    """Returns the tokens of a batch, which decide the questions of a shard; None for an engine without batches."""
    return config.engine.batch_tokens if config.engine.name == "transformers" else None


@stage("evaluate", VERSION, resumable=True, sharded=Sharded(compute_shard, join_shards, _can_be_sharded, _cut_by))
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

    Raises DataError for a prompt that does not fit into the model's length, and the errors of `engines.load`.
    """
    began = time.perf_counter()
    config, examples = _with_choice(config, examples, chosen)
    asked = list(_requests(config, test, examples))
    requests = [request for request, _ in asked]
    generated = _answer(config, requests, frozenset(), adapter, out)
    finished = read_answers(out)
    write_answers(out, [finished[request.id] for request in requests])
    shown = examples_shown([count for _, count in asked]) if examples else {}
    write_counts(out, [finished[request.id] for request in requests], shown)
    write_timings(out, time.perf_counter() - began, generated)


def _with_choice(
    config: EvaluateStage, examples: Path | None, chosen: Path | None
) -> tuple[EvaluateStage, Path | None]:
    """Returns the settings with the chosen prompt, and the folder of the worked examples. `chosen`: see `evaluate`."""
    if chosen is None:
        return config, examples
    return replace(config, prompt=_chosen(config, chosen)), examples or chosen_examples(chosen)


def _answer(
    config: EvaluateStage, requests: Sequence[Request], skipped: frozenset[str], adapter: Path | None, out: Path
) -> int:
    """Appends the missing answers to answers.jsonl, except for the ids in `skipped`. Returns their number."""
    append_complete_lines(out / ANSWERS)
    before = read_answers(out)
    total = len(requests) - len(skipped)
    if len(before) < total:
        engine = engines.load(config.engine, *_weights(config, adapter), out)
        answers = _generated(engine, requests, skipped.union(before), config.token_probabilities)
        with (out / ANSWERS).open("a", encoding="utf-8", newline="\n") as file:
            for answer in track(answers, "answering", total, len(before)):
                file.write(dumps(row_of(answer)) + "\n")
                file.flush()
    return total - len(before)


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
                f"allows {budget}; raise model.max_length, or build the dataset again with these settings"
            )
        return ids

    return encode
