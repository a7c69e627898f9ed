"""Worked examples for an untrained arm: rows of the raft training set, shown before each test question.

The examples are drawn by the seed from rows with gold. They must be so short that 90% of the test prompts have room for
all of them in the model's window. The other test prompts get fewer examples, because the passages of a test prompt are
never shortened to make room for an example.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from heapq import nsmallest
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp import prompts
from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Example, Messages, Target, read_jsonl, write_jsonl
from raft_exp.core.sampling import seeded_bits
from raft_exp.core.schema import KeyedWhenSet, Positive, Runtime, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.core.text import plain_words
from raft_exp.dataset.rows import Window
from raft_exp.models.loading import tokenizer_of
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.few_shot import FewShot, as_example

log = logging.getLogger(__name__)

VERSION = 1
_TEST_PROMPTS = 1000  # largest number of test prompts that are measured
_CANDIDATES = 500  # largest number of training rows that are measured
_WITH_ROOM = 0.9  # share of the test prompts beside which all examples fit


@config_dataclass
class ExamplesStage:
    """The settings that decide the worked examples of an arm."""

    prompt: PromptConfig
    prompt_mode: str
    context: Literal["none", "passages", "gold"]  # the passages in the prompts of the arm and in its examples
    cot: bool  # whether the replies of the examples have reasoning before the answer
    examples: Positive  # largest number of examples
    window: Window
    seed: Seed
    arm: Runtime[str]  # for messages
    required: KeyedWhenSet[bool] = True  # false: logs a warning instead of an error if no row can be an example


@stage("dataset", VERSION)
def worked_examples(config: ExamplesStage, *, rows: Path, test: Path, out: Path) -> None:
    """Writes rows.jsonl and counts.json: the worked examples of an arm, in the order of the prompt.

    `rows`: the folder of a raft training set. `test`: the folder of the test rows. Raises DataError if no row can be an
    example, or no example is short enough. With `config.required=False`, it logs a warning instead, and writes no
    examples.
    """
    try:
        examples = _drawn(config, rows, test)
    except DataError as error:
        if config.required:
            raise
        log.warning("arm %s: worked examples are not tried: %s", config.arm, error)
        examples = []
    write_jsonl(out / "rows.jsonl", examples)
    (out / "counts.json").write_text(json.dumps({"examples": len(examples)}), encoding="utf-8")


def _drawn(config: ExamplesStage, rows: Path, test: Path) -> list[Example]:
    """Draws the examples of an arm. Raises DataError if there is none."""
    window = config.window
    budget = window.max_length - window.max_new_tokens
    few_shot = FewShot(tokenizer_of(window), budget)
    asked = [_messages(config, row) for row in islice(read_jsonl(test / "rows.jsonl", Example), _TEST_PROMPTS)]
    longest = int(np.quantile([few_shot.size(messages) for messages in asked], _WITH_ROOM, method="higher"))
    candidates = [_with_reply(config, row) for row in _candidates(config, rows, test)]
    if not candidates:
        raise DataError(
            f"{_setting(config)}: got {config.examples}, but no training row has its gold passages in the context"
            f"{' and has reasoning' if config.cot else ''}; raise dataset.p, or set {_setting(config)}=0"
        )
    examples = [as_example(config.prompt, config.prompt_mode, config.cot, row) for row in candidates]
    lengths = [few_shot.length(asked[0], example) for example in examples]
    places = _short_enough(lengths, config.examples, budget - longest)
    if not places:
        room = f"at most {max(budget - longest, 0)} tokens in model.max_length={window.max_length}"
        raise DataError(
            f"{_setting(config)}: got {config.examples}, but the shortest example has {min(lengths)} tokens "
            f"and a tenth of the test prompts leave room for {room}; raise model.max_length, or "
            f"set {_setting(config)}=0"
        )
    return [candidates[place] for place in places]


def _setting(config: ExamplesStage) -> str:
    return f"arms.{config.arm}.examples" if config.required else "evaluation.examples"


def _messages(config: ExamplesStage, row: Example) -> Messages:
    context = _context(config, row) if config.context != "none" else None
    return prompts.messages(config.prompt, config.prompt_mode, row.question, context, config.cot)


def _context(config: ExamplesStage, row: Example) -> list[ContextPassage]:
    """Returns the passages of a row that an example shows: all, the gold passages, or none."""
    return [] if config.context == "none" else [p for p in row.context if p.gold or config.context == "passages"]


def _candidates(config: ExamplesStage, rows: Path, test: Path) -> list[Example]:
    """Returns the training rows that can be an example, in the order of the draw, without test questions."""
    tested = {plain_words(row.question) for row in read_jsonl(test / "rows.jsonl", Example)}
    reply_format = config.prompt.reply_format
    possible = (
        (seeded_bits(config.seed, "worked examples", row.id), number)
        for number, row in enumerate(read_jsonl(rows / "rows.jsonl", Example))
        if row.split == "train" and row.has_gold and row.target_grounded and plain_words(row.question) not in tested
        if not config.cot or prompts.parse(row.target, reply_format).reason
    )
    drawn = {number: bits for bits, number in nsmallest(_CANDIDATES, possible)}
    numbered = enumerate(read_jsonl(rows / "rows.jsonl", Example))
    chosen = [(drawn[number], row) for number, row in numbered if number in drawn]
    return [row for _, row in sorted(chosen, key=lambda pair: pair[0])]


def _with_reply(config: ExamplesStage, row: Example) -> Example:
    """Returns the row with the messages of the arm: its passages, and a reply with or without reasoning."""
    reply = row.target
    if not config.cot:
        answer = prompts.parse(row.target, config.prompt.reply_format).prediction
        reply = prompts.completion(Target(row.id, answer), False, config.prompt.reply_format)
    context = _context(config, row)
    said = [*_messages(config, row), {"role": "assistant", "content": reply}]
    return replace(row, context=context, target=reply, messages=said)


def _short_enough(lengths: Sequence[int], most: int, room: int) -> list[int]:
    """Returns the indices of the chosen examples: the first n examples that have at most `room` / n tokens each.

    `lengths`: the number of tokens of each example. n is the largest possible number up to `most`. Returns [] if no
    example has at most `room` tokens.
    """
    for count in range(most, 0, -1):
        places = [place for place, length in enumerate(lengths) if length * count <= room]
        if len(places) >= count:
            return places[:count]
    return []
