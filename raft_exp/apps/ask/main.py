"""`python -m raft_exp.ask RUN ["question"]`: asks a finished run about its documents; without a question, line by line.

What the retriever finds is shown to the model as in training; the answer comes with the sentences that it cites, where
they stand, and whether they really do.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.pipeline.run import FinishedRun


@config_dataclass
class RunSettings:
    """How a finished run is opened to be asked: what `ask` and `serve` share."""

    arm: str | None = Field(
        default=None, title="NAME", description="the arm that answers (default: the study's reference arm, raft)"
    )
    model: str | None = Field(
        default=None, title="DIR", description="an exported model (raft_exp.export) instead of an arm (default: none)"
    )
    k: Positive | None = Field(default=None, description="passages to retrieve (default: the study's retriever.k)")
    retriever: Literal["bm25", "dense", "both"] | None = Field(
        default=None, description="how passages are searched (default: as in the study)"
    )
    engine: Literal["transformers", "vllm"] | None = Field(
        default=None, description="what runs the model (default: as in the study)"
    )
    accelerator: Literal["cpu", "gpu", "auto"] = Field(default="auto", description="where the model runs")
    store: str | None = Field(
        default=None,
        title="PATH",
        description="where the store stands, if it was moved (default: where the run left it)",
    )


@config_dataclass
class AskSettings(RunSettings):
    """The settings of `ask`."""

    show_context: bool = Field(default=False, description="show the passages that the model was given")
    json: bool = Field(default=False, description="print one JSON object for each question")


_COMMAND = Command(
    form='python -m raft_exp.ask RUN ["question"] [name=value ...]',
    about="""Asks a finished run about its documents. The model is shown what the retriever finds, as in training.
The answer comes with the sentences that it cites, where they stand, and whether they really do.""",
    words={
        "RUN": "the folder of a finished run",
        '"question"': "what to ask; without it, the lines of the input are asked, and blank ones skipped",
    },
    settings=AskSettings,
    most=2,
    free_text=True,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        (run, *questions), chosen = _COMMAND.read(arguments)
        asker = opened(Path(run), chosen)
        show = _Json(chosen.show_context) if chosen.json else _Text(chosen.show_context)
        for question in questions or _questions():
            _ask(asker, question, show)


def opened(folder: Path, chosen: RunSettings) -> Any:
    """The run, ready to be asked."""
    run = FinishedRun(folder, chosen.store)  # before the imports that take seconds
    from raft_exp.apps.ask.session import AskOptions, RagSession

    how = AskOptions(chosen.arm, chosen.model, chosen.k, chosen.retriever, chosen.engine, chosen.accelerator)
    return RagSession(run, how)


def _questions() -> Any:
    """Yields the lines of the input that are not blank. At a terminal a blank line ends them."""
    at_terminal = sys.stdin.isatty()
    while True:
        try:
            question = input("\nquestion> " if at_terminal else "")
        except EOFError:
            return
        if question.strip():
            yield question
        elif at_terminal:
            return


def _ask(asker: Any, question: str, show: Any) -> None:
    from raft_exp.apps.ask.session import StreamListener, answer
    from raft_exp.apps.ask.stream import ReplySplitter

    began = time.perf_counter()
    asked = asker.prompt("asked", question)
    show.context(asked)
    reply, splitter = None, ReplySplitter(asker.reply_format)

    def write(text: str) -> None:
        for kind, piece in splitter.feed(text):
            show.piece(kind, piece)

    if asked.request:
        (reply,) = answer(asker.engine, [asked.request], StreamListener(write))
        for kind, piece in splitter.end():
            show.piece(kind, piece)
    show.end(asked, asker.judge(asked, reply), time.perf_counter() - began)


class _Text:
    """For a reader: the reply as it comes, then what it cites."""

    def __init__(self, show_context: bool) -> None:
        self._show_context, self._kind = show_context, ""
        self._styled = sys.stdout.isatty()

    def context(self, asked: Any) -> None:
        """The passages, where they are asked for."""
        for number, passage in enumerate(asked.context if self._show_context else [], start=1):
            print(self._style("2", f"[{number}] {_heading(passage)}\n{printable(passage.text)}\n"))

    def piece(self, kind: str, text: str) -> None:
        """A piece of the reply: quotes in quotation marks, the answer on a line of its own."""
        if kind != self._kind:
            closing = "\u201d" if self._kind == "quote" else ""
            opening = {"quote": "\u201c", "answer": "answer: "}.get(kind, "")
            between = "\n" if kind == "answer" and self._kind else " " if self._kind else ""
            print(closing + between + opening, end="")
            self._kind = kind
        print(self._style({"answer": "1", "reason": "2"}.get(kind, ""), printable(text)), end="", flush=True)

    def end(self, asked: Any, judged: Any, seconds: float) -> None:
        """What is cited, and what to beware of."""
        print("\u201d" if self._kind == "quote" else "")
        self._kind = ""
        for one in judged.citations:
            print(f"  {self._cited(one)}")
        if judged.note:
            print(judged.note)

    def _cited(self, one: Any) -> str:
        text = f"\u201c{printable(' '.join(one.text.split()))}\u201d"
        if not one.verbatim:
            return f"{text} stands in none of the passages"
        source = f" ({printable(one.source)})" if one.source else ""
        return f"[{one.passage}] {text} - {_heading(one)}{source}"

    def _style(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._styled and code else text


class _Json:
    """For programs: one object a question."""

    def __init__(self, show_context: bool) -> None:
        self._show_context = show_context

    def context(self, asked: Any) -> None:
        """Stands in the object."""

    def piece(self, kind: str, text: str) -> None:
        """Stands in the object."""

    def end(self, asked: Any, judged: Any, seconds: float) -> None:
        """The object."""
        found = {"question": asked.question, **dataclasses.asdict(judged), "seconds": round(seconds, 3)}
        if self._show_context:
            found["context"] = [dataclasses.asdict(passage) for passage in asked.context]
        print(json.dumps(found), flush=True)


def _heading(one: Any) -> str:
    title = printable(" ".join(one.title.split())) or printable(one.document_id)
    return f"{title}, {printable(one.place)}" if one.place else title


def printable(text: str) -> str:
    """Without what a document could tell the terminal to do."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
