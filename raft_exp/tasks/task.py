"""The prompt of a task. A task is a YAML file in conf/task/ with a prompt, sampling settings and conditions on replies.

Prompts are Jinja templates, which are rendered in a sandbox. Texts of documents are values of the templates, so that
braces in a document have no effect.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, model_validator

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Messages, Passage
from raft_exp.core.schema import Positive, Share, config_dataclass

Clean = Callable[[str], str]


@config_dataclass
class Task:
    """The prompt of a task and its sampling settings.

    A change of a field gives the task's requests new keys in the ledger; of a template, only if the prompt changes.
    """

    name: str
    version: Positive  # a higher number requests all replies again
    system: str  # template of the system message; "" for none
    prompt: str  # template of the user message
    again: str  # template added to the prompt after an unusable reply; {{ reason }} says why it is unusable
    temperature: Annotated[float, Field(ge=0, le=2)] | None  # null: the server's default; 0 for a local model
    top_p: Share | None  # null: the server's default; 1 for a local model
    max_new_tokens: Positive
    extra_body: dict[str, Any]  # further fields of a request to a server: response_format, structured_outputs, ...

    @model_validator(mode="after")
    def _templates_are_whole(self) -> "Task":
        for field in ("system", "prompt", "again"):
            try:
                _template(getattr(self, field))
            except TemplateError as error:
                raise ValueError(
                    f"task {self.name}: {field} is not a valid Jinja template ({error}); correct it in the file of the "
                    "task (conf/task/)"
                ) from None
        return self

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply: 0, unless a subclass has a setting for it."""
        return 0


class Prompts:
    """Builds the prompts of one task. `clean`: function that makes control tokens in document texts harmless."""

    def __init__(self, task: Task, clean: Clean) -> None:
        self._task, self._clean = task, clean
        self._prompt, self._again = _template(task.prompt), _template(task.again)
        self._system = _template(task.system)
        self._apart = any("passages" in part for part in (task.system, task.prompt, task.again))
        self._cleaned = lru_cache(4096)(self._once)

    def messages(self, passages: Sequence[Passage], reasons: Sequence[str], **values: object) -> Messages:
        """Returns the messages of a prompt. Raises ConfigError for a template that cannot be rendered.

        `passages`: the passages of the prompt, for the variables `context` (their text) and `passages` (title, place
        and text of each). `reasons`: reasons why earlier replies were rejected; the prompt shows the last one.
        `values`: further variables of the template.
        """
        shown = {name: self._safe(value) for name, value in values.items()}
        shown["context"] = "\n\n".join(map(self._shown, passages))
        if self._apart:
            shown["passages"] = [self._parts(passage) for passage in passages]
        try:
            user = self._prompt.render(shown)
            if reasons:
                user += self._again.render({**shown, "reason": reasons[-1]})
            system = self._system.render(shown) if "{" in self._task.system else self._task.system
        except TemplateError as error:
            raise ConfigError(
                f"task {self._task.name}: its template cannot be rendered ({error}); correct it in the file of the "
                "task (conf/task/)"
            ) from None
        prompt = {"role": "user", "content": user.strip()}
        return [{"role": "system", "content": system.strip()}, prompt] if system.strip() else [prompt]

    def _safe(self, value: object) -> object:
        """Returns a value of the template. Texts and lists of texts are cleaned; other values stay unchanged."""
        if isinstance(value, str):
            return self._clean(value) if value else value
        return [self._safe(one) for one in value] if isinstance(value, list | tuple) else value

    def text(self, passage: Passage) -> str:
        """Returns the text of a passage as it stands in the prompt."""
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
