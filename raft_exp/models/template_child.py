"""`python -m raft_exp.models.template_child`: renders sample chats with a chat template.

`template_limits` runs this module as a child process with limits of time and memory. The child process uses the
renderer of transformers, without an import of torch.
"""

from typing import TypedDict

from raft_exp.core import limited
from raft_exp.models.template_chance import uses_chance

Chat = list[dict[str, str]]


class TemplateSample(TypedDict):
    """The input of the child process: a chat template and sample chats."""

    template: str
    tokens: dict[str, str]  # name of a variable in the template, e.g. bos_token -> special token
    chats: list[Chat]


def added_characters(sample: TemplateSample) -> int:
    """Returns the largest number of characters that the template adds to a chat; 0 if no chat is rendered."""
    uses_chance(sample["template"])  # parses the template within the limits, as the parent process does later
    return max(_added(sample, chat) for chat in sample["chats"])


def _added(sample: TemplateSample, chat: Chat) -> int:
    from transformers.utils.chat_template_utils import render_jinja_template  # takes a second: `answer` imports it

    try:
        texts, _ = render_jinja_template(
            conversations=[chat],
            chat_template=sample["template"],
            add_generation_prompt=True,
            enable_thinking=False,
            **sample["tokens"],
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:  # the template refuses this chat, e.g. for its system role; `tokens` gives the reason
        return 0
    return len(texts[0]) - sum(len(message["content"]) for message in chat)


if __name__ == "__main__":
    limited.answer(added_characters, "jinja2.sandbox", "transformers.utils.chat_template_utils")
