"""Tasks of a teacher that is a model: one YAML file each under conf/task/, with its prompt, its sampling and its gate.

Prompts are Jinja templates, rendered in a sandbox. What comes from documents enters as values: its braces stay braces.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, model_validator

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Messages, Passage
from raft_exp.core.schema import Count, Positive, Share, config_dataclass

Clean = Callable[[str], str]


@config_dataclass
class Task:
    """What a model is asked, and how it samples. All of it stands in the key of a request."""

    name: str
    version: Positive  # raised to ask everything anew
    system: str  # template of the system message; "" for none
    prompt: str  # template of the user message
    again: str  # template of what is added when an earlier reply could not be used; {{ reason }} says why
    temperature: Annotated[float, Field(ge=0, le=2)] | None  # null: the server's own
    top_p: Share | None
    max_new_tokens: Positive
    extra_body: dict[str, Any]  # more fields of a request to a server: response_format, structured_outputs, ...

    @model_validator(mode="after")
    def _templates_are_whole(self) -> "Task":
        for field in ("system", "prompt", "again"):
            try:
                _template(getattr(self, field))
            except TemplateError as error:
                raise ValueError(f"task {self.name}: {field} is not a template: {error}") from None
        return self

    @property
    def retries(self) -> int:
        """How often a reply that cannot be used is asked again."""
        return 0


@config_dataclass
class Gate:
    """What a reply must be before anything learns from it (`teachers/gate.py`)."""

    retries: Count  # asked again so often, with the reason
    min_quotes: Count  # verbatim quotes from the gold passages, between the markers
    agrees: bool  # the final answer is the question's own, where it has one
    min_words: Count  # of the reasoning
    max_words: Positive
    max_answer_words: Positive


@config_dataclass
class AnswerTask(Task):
    """Writes a target: for a question, its gold passages and (where there is one) its answer."""

    reply: Literal["paper", "json", "text"]  # ##Reason: ... ##Answer: | {"reason", "answer"} | text: reasoning alone
    gate: Gate

    @property
    def retries(self) -> int:
        """As `Task.retries`."""
        return self.gate.retries


@config_dataclass
class QuestionTask(Task):
    """Writes questions with their answers, for a passage."""

    n: Positive  # questions of one passage
    asked_again: Count  # where a reply holds no usable question
    max_question_words: Positive
    max_answer_words: Positive
    min_passage_words: Count  # shorter passages are not asked about
    held_out_passages: Positive | None  # at most so many of the test documents, and of the validation documents

    @property
    def retries(self) -> int:
        """As `Task.retries`."""
        return self.asked_again


@config_dataclass
class CheckTask(Task):
    """Answers a written question from its passage: one that the teacher itself cannot answer is dropped."""

    agreement: Share  # of the words of both answers that must be the same (F1), where neither holds the other


class Prompts:
    """The messages of one task."""

    def __init__(self, task: Task, clean: Clean) -> None:
        self._task, self._clean = task, clean
        self._prompt, self._again = _template(task.prompt), _template(task.again)
        self._system = _template(task.system)
        self._apart = any("passages" in part for part in (task.system, task.prompt, task.again))
        self._cleaned = lru_cache(4096)(self._once)

    def messages(self, passages: Sequence[Passage], reasons: Sequence[str], **values: Any) -> Messages:
        """The chat; `reasons` say why earlier replies could not be used, the last one is told."""
        shown = {
            name: self._clean(value) if value and isinstance(value, str) else value for name, value in values.items()
        }
        shown["context"] = "\n\n".join(map(self._shown, passages))
        if self._apart:
            shown["passages"] = [self._parts(passage) for passage in passages]
        try:
            user = self._prompt.render(shown)
            if reasons:
                user += self._again.render({**shown, "reason": reasons[-1]})
            system = self._system.render(shown) if "{" in self._task.system else self._task.system
        except TemplateError as error:
            raise ConfigError(f"task {self._task.name}: its template cannot be rendered: {error}") from None
        asked = {"role": "user", "content": user.strip()}
        return [{"role": "system", "content": system.strip()}, asked] if system.strip() else [asked]

    def text(self, passage: Passage) -> str:
        """A passage's text as the teacher sees it."""
        return self._cleaned(passage.text)

    def _parts(self, passage: Passage) -> dict[str, str]:
        return {
            "title": self._cleaned(passage.title),
            "place": self._cleaned(passage.place),
            "text": self.text(passage),
        }

    def _once(self, text: str) -> str:
        return self._clean(text).replace("</passage", "< /passage").replace("<passage", "< passage")

    def _shown(self, passage: Passage) -> str:
        heading = " ".join(filter(None, (passage.title.strip(), f"({passage.place})" if passage.place else "")))
        lines = filter(None, (" ".join(self._cleaned(heading).split()), self.text(passage)))
        return "\n".join(["<passage>", *lines, "</passage>"])


_sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache
def _template(text: str) -> Any:
    template = _sandbox.from_string(text)
    template.globals = dict(template.globals)  # each rendering copies them: a dict is quick to copy, a ChainMap slow
    return template
