"""Stage `dataset` of a ready chat file (dataset.path): its rows are checked, cleaned, counted, and trained on as they
are.
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
from raft_exp.corpora.readers import chat
from raft_exp.corpora.readers.chat import ChatRow
from raft_exp.dataset.audit import Audit
from raft_exp.dataset.leakage import QuestionFinder
from raft_exp.dataset.rows import RenderedRow, Window
from raft_exp.models.tokens import encode_completion, encode_prompt, load_tokenizer
from raft_exp.prompts import MODES
from raft_exp.prompts.clean import Cleaner

VERSION = 1

_MARKER = re.compile(r"(##(?=\s*(?:Reason|Answer|begin_quote|end_quote)))", re.IGNORECASE)


@config_dataclass
class ChatDatasetStage:
    """Settings that change what is taken from the file."""

    path: Runtime[str]  # the file's content stands in the key
    max_items: Positive | None
    allow_overlap: bool
    window: Window
    seed: Seed


@stage("dataset", VERSION)
def ready(config: ChatDatasetStage, *, questions: Path, out: Path) -> None:
    """Writes rows.jsonl, audit.json and counts.json. DataError for rows that cannot be trained on as they are."""
    file, audit, leaks = Path(config.path), Audit(), _LeakCounter(questions)
    kept = subsample((one.id for one in _unique(file) if one.split == "train"), config.max_items, config.seed)
    if not len(kept):
        raise DataError(f"dataset.path={config.path!r} has no training rows; its rows are of split train by default")
    taken = (one for one in chat.read(file) if one.split != "train" or one.id in kept)
    rows = audit.watch(_rows(config, leaks.watch(taken)))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(rows, "reading rows", len(kept))))
    leaks.check(config)
    figures = {"splits": audit.figures(), "file": file.name, "overlap": leaks.figures()}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (out / "counts.json").write_text(json.dumps({"rows": audit.rows}))


def chat_file(path: str, arm: str) -> Path:
    """The file that `dataset.path` names for an arm. Raises ConfigError where it is not there."""
    if not Path(path).is_file():
        raise ConfigError(f"dataset.path={path!r} (arm {arm}): no such file; name a file with one chat a line")
    return Path(path)


def _unique(file: Path) -> Iterator[ChatRow]:
    seen: set[str] = set()
    for one in chat.read(file):
        if one.id in seen:
            raise DataError(f"{one.where}: id {one.id!r} comes twice; ids must be unique, or be left out")
        seen.add(one.id)
        yield one


class _LeakCounter:
    """Counts the test and validation questions that training chats show, while the chats pass."""

    def __init__(self, questions: Path) -> None:
        everything = read_jsonl(questions / "questions.jsonl", Question)
        self._splits = {question.id: question.split for question in everything if question.split != "train"}
        asked = read_jsonl(questions / "questions.jsonl", Question)
        self._held_out = QuestionFinder(question for question in asked if question.split != "train")
        self._found: dict[str, str] = {}  # question -> where it stands first

    def watch(self, chats: Iterator[ChatRow]) -> Iterator[ChatRow]:
        """Passes the chats on."""
        for one in chats:
            for message in one.messages:
                if one.split == "train" and message["role"] == "user":
                    for item in self._held_out.within(message["content"]):
                        self._found.setdefault(item, one.where)
            yield one

    def figures(self) -> dict[str, dict[str, int]]:
        """As the audits of other datasets say it."""
        counts = Counter(self._splits[item] for item in self._found)
        return {split: {"questions": counts[split]} for split in ("test", "validation")}

    def check(self, config: ChatDatasetStage) -> None:
        """Raises DataError for a leak that is not allowed."""
        if self._found and not config.allow_overlap:
            item, where = next(iter(self._found.items()))
            raise DataError(
                f"{len(self._found)} test or validation questions stand in dataset.path (first: {item!r} in {where}); "
                "remove those rows, or set dataset.allow_overlap=true to go on in spite of the leak"
            )


def _rows(config: ChatDatasetStage, chats: Iterator[ChatRow]) -> Iterator[RenderedRow]:
    window = config.window
    tokenizer = load_tokenizer(window.name_or_path, window.revision)
    clean = Cleaner(MODES["plain_text"], tokenizer)  # of the modes it forbids least
    for one in chats:
        messages = [{**message, "content": _cleaned(clean, message["content"])} for message in one.messages]
        changed = sum(new != old for new, old in zip(messages, one.messages, strict=True))
        *asked, reply = messages
        try:
            prompt = encode_prompt(tokenizer, asked)
        except ModelError as error:
            raise DataError(f"{one.where}: {error}; correct or remove the row, or use another model") from error
        completion = encode_completion(tokenizer, reply["content"])
        if len(prompt) + len(completion) > window.max_length:
            raise DataError(
                f"{one.where}: {len(prompt) + len(completion)} tokens, more than model.max_length={window.max_length}; "
                "raise it, or shorten or remove the row"
            )
        example = Example(one.id, "", [], [], False, reply["content"], False, messages, one.split)
        yield RenderedRow(example, len(prompt), len(completion), Counter(escaped_messages=changed), [])


def _cleaned(clean: Cleaner, text: str) -> str:
    """Control tokens are broken up; our markers stay: in a ready prompt and reply they are where they belong."""
    return "".join(piece if _MARKER.fullmatch(f"{piece}Answer") else clean(piece) for piece in _MARKER.split(text))
