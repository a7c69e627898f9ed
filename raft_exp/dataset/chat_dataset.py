"""Stage `dataset` for a user's own chat file (dataset.path): checks its rows and writes them as training rows.

Control tokens in the messages are escaped and counted.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from raft_exp.core.errors import ConfigError, DataError, ModelError
from raft_exp.core.progress import track
from raft_exp.core.records import Example, write_jsonl
from raft_exp.core.sampling import subsample
from raft_exp.core.schema import Positive, Runtime, Seed, Share, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora.readers.chat import ChatRow
from raft_exp.corpora.readers.chat import read as read_chats
from raft_exp.corpora.split_units import split_passages
from raft_exp.dataset import overlap
from raft_exp.dataset.audit import Audit
from raft_exp.dataset.chat_overlap import chat_overlaps
from raft_exp.dataset.rows import RenderedRow, Window
from raft_exp.models.loading import tokenizer_of
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.prompts import MODES
from raft_exp.prompts.clean import Cleaner

VERSION = 2

_MARKER = re.compile(r"(##(?=\s*(?:Reason|Answer|begin_quote|end_quote)))", re.IGNORECASE)


@config_dataclass
class ChatDatasetStage:
    """The settings that change the rows of a chat file."""

    path: Runtime[str]  # its content is part of the key
    max_items: Positive | None
    allow_overlap: bool
    max_gold_overlap: Share | None
    window: Window
    seed: Seed


@stage("dataset", VERSION)
def chat_rows(config: ChatDatasetStage, *, passages: Path, questions: Path, out: Path) -> None:
    """Writes rows.jsonl, audit.json and counts.json.

    Raises DataError for rows that cannot be trained on, for a file without training rows, and for rows that contain
    held-out questions or their gold passages (`overlap.check`). `config.allow_overlap` allows the last.
    """
    file, audit = Path(config.path), Audit()
    sample = subsample((chat.id for chat in _unique(file) if chat.split == "train"), config.max_items, config.seed)
    if not len(sample):
        raise DataError(
            f"dataset.path={config.path!r} has no training rows; remove the field split of some rows or set it to train"
        )

    def training() -> Iterator[ChatRow]:
        return (chat for chat in read_chats(file) if chat.split == "train" and chat.id in sample)

    found = overlap.check(
        chat_overlaps(training, questions, split_passages(passages, questions)),
        config.allow_overlap,
        config.max_gold_overlap,
    )
    chats = (chat for chat in read_chats(file) if chat.split != "train" or chat.id in sample)
    rows = audit.watch(_rows(config, chats))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(rows, "reading rows", len(sample))))
    figures = {"splits": audit.figures(), "file": file.name, "overlap": found}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows}), encoding="utf-8")


def chat_file(path: str, arm: str) -> Path:
    """Returns the path `dataset.path` of an arm. Raises ConfigError if the file does not exist."""
    if not Path(path).is_file():
        raise ConfigError(
            f"dataset.path={path!r} (arm {arm}): no such file; give a JSON-lines file with one chat per line"
        )
    return Path(path)


def _unique(file: Path) -> Iterator[ChatRow]:
    seen: set[str] = set()
    for chat in read_chats(file):
        if chat.id in seen:
            raise DataError(f"{chat.where}: id {chat.id!r} occurs twice; change or remove one of the two ids")
        seen.add(chat.id)
        yield chat


def _rows(config: ChatDatasetStage, chats: Iterator[ChatRow]) -> Iterator[RenderedRow]:
    window = config.window
    tokenizer = tokenizer_of(window)
    clean = Cleaner(MODES["plain_text"], tokenizer)  # the mode that forbids the fewest characters
    for chat in chats:
        messages = [{**message, "content": _break_tokens(clean, message["content"])} for message in chat.messages]
        changed = sum(new != old for new, old in zip(messages, chat.messages, strict=True))
        *prompt_messages, reply = messages
        try:
            prompt = encode_prompt(tokenizer, prompt_messages)
        except ModelError as error:
            raise DataError(f"{chat.where}: {error}; correct or remove the row, or use another model") from error
        completion = encode_completion(tokenizer, reply["content"])
        if (size := len(prompt) + len(completion)) > window.max_length:
            raise DataError(
                f"{chat.where}: the row has {size} tokens, more than model.max_length={window.max_length}; "
                "raise model.max_length, or shorten or remove the row"
            )
        example = Example(chat.id, "", [], [], False, reply["content"], False, messages, chat.split)
        yield RenderedRow(example, len(prompt), len(completion), Counter(escaped_messages=changed), [])


def _break_tokens(clean: Cleaner, text: str) -> str:
    """Escapes control tokens, but not RAFT's markers (##Answer: ...), which a chat file may use on purpose."""
    return "".join(piece if _MARKER.fullmatch(f"{piece}Answer") else clean(piece) for piece in _MARKER.split(text))
