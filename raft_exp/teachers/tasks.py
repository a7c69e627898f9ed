"""Tasks of a teacher that is a model. Each is a YAML file in conf/task/ with its prompt, its sampling and its gate.

Prompts are Jinja templates, rendered in a sandbox. Text of documents is passed as values, so that braces in it are no
template code.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, model_validator

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Messages, Passage
from raft_exp.core.schema import Count, Positive, Share, config_dataclass

Clean = Callable[[str], str]


@config_dataclass
class Task:
    """The prompt of a task and its sampling. All fields are in the key of a request."""

    name: str
    version: Positive  # a higher version requests all replies again
    system: str  # template of the system message; "" for none
    prompt: str  # template of the user message
    again: str  # template added to the prompt after an unusable reply; {{ reason }} is the gate's message
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
        """The number of further attempts after an unusable reply."""
        return 0


@config_dataclass
class Gate:
    """The conditions on a reply that becomes a target (`teachers/gate.py`)."""

    retries: Count  # further attempts after an unusable reply
    min_quotes: Count  # least number of verbatim quotes from gold passages, between the quote markers
    agrees: bool  # whether the answer must be the question's own, where it has one
    min_words: Count  # of the reasoning
    max_words: Positive
    max_answer_words: Positive


@config_dataclass
class AnswerTask(Task):
    """Writes the target of a question from its gold passages and (where there is one) its answer."""

    reply: Literal["paper", "json", "text"]  # ##Reason: ... ##Answer: | {"reason", "answer"} | text: reasoning alone
    gate: Gate

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply."""
        return self.gate.retries


@config_dataclass
class QuestionTask(Task):
    """Writes questions with their answers, for a passage."""

    n: Positive  # questions to write for a passage
    asked_again: Count  # further attempts when a reply has no usable question
    max_question_words: Positive
    max_answer_words: Positive
    min_passage_words: Count  # shorter passages are skipped
    held_out_passages: Positive | None  # most passages of test documents, and of validation documents

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply."""
        return self.asked_again


@config_dataclass
class CheckTask(Task):
    """Answers a written question from its passage; questions that the teacher cannot answer are dropped."""

    agreement: Share  # least F1 of the words of both answers, where neither contains the other


class Prompts:
    """The messages of one task."""

    def __init__(self, task: Task, clean: Clean) -> None:
        self._task, self._clean = task, clean
        self._prompt, self._again = _template(task.prompt), _template(task.again)
        self._system = _template(task.system)
        self._apart = any("passages" in part for part in (task.system, task.prompt, task.again))
        self._cleaned = lru_cache(4096)(self._once)

    def messages(self, passages: Sequence[Passage], reasons: Sequence[str], **values: object) -> Messages:
        """The messages of a prompt. `reasons`: messages of the gate on earlier replies; the last one is shown."""
        shown: dict[str, object] = {
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
        prompt = {"role": "user", "content": user.strip()}
        return [{"role": "system", "content": system.strip()}, prompt] if system.strip() else [prompt]

    def text(self, passage: Passage) -> str:
        """A passage's text in the form that the teacher sees."""
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
def _template(text: str) -> Template:
    template = _sandbox.from_string(text)
    template.globals = dict(template.globals)  # copied for each rendering: faster than a ChainMap
    return template
