"""Stage `dataset` with a user's own chat file (dataset.path): its rows are checked, freed of control tokens, counted
and written as training rows.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from raft_exp.core.errors import ConfigError, DataError, ModelError
from raft_exp.core.progress import track
from raft_exp.core.records import Example, Question, read_jsonl, write_jsonl
from raft_exp.core.sampling import subsample
from raft_exp.core.schema import Positive, Runtime, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora.readers.chat import ChatRow
from raft_exp.corpora.readers.chat import read as read_chats
from raft_exp.dataset.audit import Audit
from raft_exp.dataset.leakage import QuestionFinder
from raft_exp.dataset.rows import RenderedRow, Window
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.prompts import MODES
from raft_exp.prompts.clean import Cleaner

VERSION = 1

_MARKER = re.compile(r"(##(?=\s*(?:Reason|Answer|begin_quote|end_quote)))", re.IGNORECASE)


@config_dataclass
class ChatDatasetStage:
    """Settings that change the rows."""

    path: Runtime[str]  # its content is part of the key
    max_items: Positive | None
    allow_overlap: bool
    window: Window
    seed: Seed


@stage("dataset", VERSION)
def chat_rows(config: ChatDatasetStage, *, questions: Path, out: Path) -> None:
    """Writes rows.jsonl, audit.json and counts.json. Raises DataError for rows that cannot be trained on."""
    file, audit, leaks = Path(config.path), Audit(), _LeakCounter(questions)
    sample = subsample((chat.id for chat in _unique(file) if chat.split == "train"), config.max_items, config.seed)
    if not len(sample):
        raise DataError(f"dataset.path={config.path!r} has no training rows; a row without a split is a training row")
    chats = (chat for chat in read_chats(file) if chat.split != "train" or chat.id in sample)
    rows = audit.watch(_rows(config, leaks.watch(chats)))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(rows, "reading rows", len(sample))))
    leaks.check(config)
    figures = {"splits": audit.figures(), "file": file.name, "overlap": leaks.figures()}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows}))


def chat_file(path: str, arm: str) -> Path:
    """The path `dataset.path` of an arm. Raises ConfigError where there is no such file."""
    if not Path(path).is_file():
        raise ConfigError(f"dataset.path={path!r} (arm {arm}): no such file; name a file with one chat a line")
    return Path(path)


def _unique(file: Path) -> Iterator[ChatRow]:
    seen: set[str] = set()
    for chat in read_chats(file):
        if chat.id in seen:
            raise DataError(f"{chat.where}: id {chat.id!r} comes twice; ids must be unique, or be left out")
        seen.add(chat.id)
        yield chat


class _LeakCounter:
    """Counts the test and validation questions that occur in a user message of a training chat."""

    def __init__(self, questions: Path) -> None:
        self._splits = {question.id: question.split for question in _held_out(questions)}
        self._finder = QuestionFinder(_held_out(questions))
        self._leaks: dict[str, str] = {}  # question id -> place of the first chat with it

    def watch(self, chats: Iterator[ChatRow]) -> Iterator[ChatRow]:
        """Yields the chats unchanged and looks for questions in them."""
        for chat in chats:
            for message in chat.messages:
                if chat.split == "train" and message["role"] == "user":
                    for question_id in self._finder.within(message["content"]):
                        self._leaks.setdefault(question_id, chat.where)
            yield chat

    def figures(self) -> dict[str, dict[str, int]]:
        """The entry `overlap` of audit.json: split -> {"questions": leaks}."""
        counts = Counter(self._splits[question_id] for question_id in self._leaks)
        return {split: {"questions": counts[split]} for split in ("test", "validation")}

    def check(self, config: ChatDatasetStage) -> None:
        """Raises DataError where there is a leak and `allow_overlap` is false."""
        if self._leaks and not config.allow_overlap:
            question_id, where = next(iter(self._leaks.items()))
            raise DataError(
                f"{len(self._leaks)} test or validation questions stand in dataset.path (first: {question_id!r} in "
                f"{where}); remove those rows, or set dataset.allow_overlap=true to train in spite of the leak"
            )


def _held_out(questions: Path) -> Iterator[Question]:
    every = read_jsonl(questions / "questions.jsonl", Question)
    return (question for question in every if question.split != "train")


def _rows(config: ChatDatasetStage, chats: Iterator[ChatRow]) -> Iterator[RenderedRow]:
    window = config.window
    tokenizer = load_tokenizer(window.name_or_path, window.revision)
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
                f"{chat.where}: {size} tokens, more than model.max_length={window.max_length}; "
                "raise it, or shorten or remove the row"
            )
        example = Example(chat.id, "", [], [], False, reply["content"], False, messages, chat.split)
        yield RenderedRow(example, len(prompt), len(completion), Counter(escaped_messages=changed), [])


def _break_tokens(clean: Cleaner, text: str) -> str:
    """Breaks up control tokens and leaves RAFT's markers (##Answer: ...), which a chat file may use on purpose."""
    return "".join(piece if _MARKER.fullmatch(f"{piece}Answer") else clean(piece) for piece in _MARKER.split(text))
