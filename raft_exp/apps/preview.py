"""`preview=3`: prints the first rows of each data set, as prompt and supervised tokens.

Gold passages are green, distractors are dim, supervised tokens have a coloured background.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.screen import Console
from raft_exp.models import tokens
from raft_exp.models.loading import tokenizer_of
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.store import Outcome

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def show(outcomes: Sequence[Outcome], config: Config) -> None:
    """Prints the first `config.preview` rows of each finished dataset stage."""
    tokenizer = tokenizer_of(config.model)
    console = Console()
    for outcome in outcomes:
        for example in islice(read_jsonl(outcome.path / "rows.jsonl", Example), config.preview):
            console.print(panel(example, tokenizer, outcome.stage.label))


def panel(example: Example, tokenizer: "PreTrainedTokenizerBase", label: str) -> Panel:
    """Formats one row of a data set: the prompt, then the supervised tokens in alternating colours.

    `label`: the label of the data set's stage.
    """
    prompt = [message for message in example.messages if message["role"] != "assistant"]
    prompt_tokens = len(tokens.encode_prompt(tokenizer, prompt))
    supervised = tokens.encode_completion(tokenizer, example.target) if len(prompt) < len(example.messages) else []
    gold = [str(place) for place, passage in enumerate(example.context, start=1) if passage.gold]
    facts = (
        f"{len(example.context)} passages, positions of gold: {', '.join(gold) or 'none'}; "
        f"{prompt_tokens} prompt tokens, {len(supervised)} supervised"
    )
    facts += f"; grounded: {example.target_grounded}" if supervised else ""
    title = Text(f"{label}  {example.id}  ({example.split})")
    return Panel(
        Group(Text(facts, style="italic"), Text(), _prompt(example, prompt), Text(), _tokens(tokenizer, supervised)),
        title=title,
    )


def _prompt(example: Example, messages: list[dict[str, str]]) -> Text:
    text = Text("\n\n".join(message["content"] for message in messages))
    for passage in example.context:
        start = text.plain.find(passage.text)
        if passage.text and start >= 0:
            text.stylize("green" if passage.gold else "dim", start, start + len(passage.text))
    return text


def _tokens(tokenizer: "PreTrainedTokenizerBase", ids: list[int]) -> Text:
    """Returns the tokens on two alternating background colours. The last token is the end token."""
    text = Text()
    for place, token in enumerate(ids):
        piece = tokenizer.decode([token]) or tokenizer.convert_ids_to_tokens(token)
        text.append(piece, style=("black on bright_yellow", "black on bright_cyan")[place % 2])
    return text
