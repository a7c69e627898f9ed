"""`python -m raft_exp.ask RUN ["question"]`: answers questions about the documents of a finished run.

Without a question on the command line, each line of the standard input is a question. The prompt holds the retrieved
passages, rendered as in training. The answer is printed with its citations, their places, and whether each is verbatim.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from raft_exp.apps.arguments import Command, needs_packages, one_line_errors
from raft_exp.core.printable import printable
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.pipeline.run import FinishedRun
from raft_exp.retrieval import searches

if TYPE_CHECKING:
    from raft_exp.apps.ask.citations import Citation, CitedAnswer
    from raft_exp.apps.ask.session import AskPrompt, RagSession
    from raft_exp.core.records import ContextPassage


@config_dataclass
class RunSettings:
    """The settings that `ask` and `serve` share."""

    arm: str | None = Field(
        default=None, title="NAME", description="the arm that answers (default: the study's reference arm, often raft)"
    )
    model: str | None = Field(
        default=None, title="DIR", description="an exported model (raft_exp.export) instead of an arm (default: none)"
    )
    k: Positive | None = Field(
        default=None, description="number of passages to retrieve (default: the study's retriever.k)"
    )
    retriever: Literal["bm25", "dense", "hybrid"] | None = Field(
        default=None, description="the method of the passage search (default: as in the study)"
    )
    engine: Literal["transformers", "vllm"] | None = Field(
        default=None, description="the engine that runs the model (default: as in the study)"
    )
    accelerator: Literal["cpu", "gpu", "auto"] = Field(default="auto", description="the device that runs the model")
    store: str | None = Field(
        default=None,
        title="PATH",
        description="the folder of the store, if it was moved after the run (default: as in the run)",
    )


@config_dataclass
class AskSettings(RunSettings):
    """The settings of `ask`."""

    show_context: bool = Field(default=False, description="show the passages of the prompt")
    json: bool = Field(default=False, description="print one JSON object for each question")


_COMMAND = Command(
    form='python -m raft_exp.ask RUN ["question"] [name=value ...]',
    about="""Asks a finished run about its documents. The prompt holds the retrieved passages, as in training.
The answer is printed with its citations, their places, and whether each is verbatim.""",
    words={
        "RUN": "the folder of a finished run",
        '"question"': "the question; without it, each line of the standard input is a question",
    },
    settings=AskSettings,
    most=2,
    free_text=True,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        (run, *questions), chosen = _COMMAND.read(arguments)
        session = opened(Path(run), chosen)
        display = _JsonDisplay(chosen.show_context) if chosen.json else _TextDisplay(chosen.show_context)
        for question in questions or _questions():
            _ask(session, question, display)


def opened(folder: Path, chosen: RunSettings) -> "RagSession":
    """Opens a run folder, and loads the model that answers.

    Raises ConfigError for a missing package or an arm that cannot answer, and the errors of `FinishedRun`.
    """
    run = FinishedRun(folder, chosen.store)  # its errors come before the imports that take seconds
    _check_packages(run, chosen)
    from raft_exp.apps.ask.session import AskOptions, RagSession

    options = AskOptions(chosen.arm, chosen.model, chosen.k, chosen.retriever, chosen.engine, chosen.accelerator)
    return RagSession(run, options)


def _check_packages(run: FinishedRun, chosen: RunSettings) -> None:
    """Raises ConfigError for a search or an engine whose packages are not installed, before anything is loaded."""
    if (chosen.engine or run.config.engine.name) == "vllm":
        needs_packages("vllm", "vllm")
    retriever = run.config.retriever
    if chosen.model is None and not run.arm(chosen.arm)[1].shows_passages:
        return
    if "dense" in searches({chosen.retriever or retriever.name}) or retriever.rerank:
        needs_packages("dense", "sentence_transformers")


def _questions() -> Iterator[str]:
    """Yields the lines of the standard input that are not blank. At a terminal, a blank line ends the input."""
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


class _Display(Protocol):
    """Shows a prompt and its reply."""

    def context(self, prompt: "AskPrompt") -> None:
        """Shows the passages of the prompt, if requested."""

    def piece(self, kind: str, text: str) -> None:
        """Shows a piece of the reply. `kind`: reason, quote or answer."""

    def end(self, prompt: "AskPrompt", answer: "CitedAnswer", seconds: float) -> None:
        """Shows the citations and the note of `answer`. `seconds`: time from the question to the end of the reply."""


def _ask(session: "RagSession", question: str, display: _Display) -> None:
    from raft_exp.apps.ask.session import StreamListener, answer
    from raft_exp.apps.ask.stream import ReplySplitter

    start = time.perf_counter()
    prompt = session.prompt("asked", question)
    display.context(prompt)
    reply, splitter = None, ReplySplitter(session.reply_format)

    def write(text: str) -> None:
        for kind, piece in splitter.feed(text):
            display.piece(kind, piece)

    if prompt.request:
        (reply,) = answer(session.engine, [prompt.request], StreamListener(write))
        for kind, piece in splitter.end():
            display.piece(kind, piece)
    display.end(prompt, session.judge(prompt, reply), time.perf_counter() - start)


class _TextDisplay:
    """Prints the reply as it is generated, then its citations."""

    def __init__(self, show_context: bool) -> None:
        self._show_context, self._kind = show_context, ""
        self._styled = sys.stdout.isatty()

    def context(self, prompt: "AskPrompt") -> None:
        """Prints the passages, if requested."""
        for number, passage in enumerate(prompt.context if self._show_context else [], start=1):
            print(self._style("2", f"[{number}] {_heading(passage)}\n{printable(passage.text)}\n"))

    def piece(self, kind: str, text: str) -> None:
        """Prints a piece of the reply: quotes in quotation marks, the answer on a separate line."""
        if kind != self._kind:
            closing = "\u201d" if self._kind == "quote" else ""
            opening = {"quote": "\u201c", "answer": "answer: "}.get(kind, "")
            between = "\n" if kind == "answer" and self._kind else " " if self._kind else ""
            print(closing + between + opening, end="")
            self._kind = kind
        print(self._style({"answer": "1", "reason": "2"}.get(kind, ""), printable(text)), end="", flush=True)

    def end(self, prompt: "AskPrompt", answer: "CitedAnswer", seconds: float) -> None:
        """Prints the citations and the note of `answer`."""
        print("\u201d" if self._kind == "quote" else "")
        self._kind = ""
        for citation in answer.citations:
            print(f"  {_citation(citation)}")
        if answer.note:
            print(printable(answer.note))

    def _style(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._styled and code else text


class _JsonDisplay:
    """Prints one JSON object for each question."""

    def __init__(self, show_context: bool) -> None:
        self._show_context = show_context

    def context(self, prompt: "AskPrompt") -> None:
        """Does nothing: the object is printed at the end."""

    def piece(self, kind: str, text: str) -> None:
        """Does nothing: the object is printed at the end."""

    def end(self, prompt: "AskPrompt", answer: "CitedAnswer", seconds: float) -> None:
        """Prints the answer as a JSON object."""
        row = {"question": prompt.question, **dataclasses.asdict(answer), "seconds": round(seconds, 3)}
        if self._show_context:
            row["context"] = [dataclasses.asdict(passage) for passage in prompt.context]
        print(json.dumps(row), flush=True)


def _citation(citation: "Citation") -> str:
    text = f"\u201c{printable(' '.join(citation.text.split()))}\u201d"
    if not citation.verbatim:
        return f"{text} is in none of the passages"
    source = f" ({printable(citation.source)})" if citation.source else ""
    return f"[{citation.passage}] {text} - {_heading(citation)}{source}"


def _heading(passage: "Citation | ContextPassage") -> str:
    title = printable(" ".join(passage.title.split())) or printable(passage.document_id)
    return f"{title}, {printable(passage.place)}" if passage.place else title
