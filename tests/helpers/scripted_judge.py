"""A scripted judge behind a server: it reads the prompt of its task, and errs where a test sets it."""

import json
import re
from collections.abc import Callable

from tests.helpers.scripted_server import MODEL, Say, Script, ScriptedServer

Verdict = Callable[[str, str], bool]  # (answer or reply, reference) -> right


def judge(server: ScriptedServer, **changes: object) -> list[str]:
    """The overrides that make the server the judge."""
    values = {"base_url": server.url, "model": MODEL, "api_key_env": "null"} | changes
    return ["judge@evaluation.judge=openai", *(f"evaluation.judge.{name}={value}" for name, value in values.items())]


def part(prompt: str, tag: str, place: int = 0) -> str:
    """The text of a tag in a prompt."""
    return re.findall(rf"<{tag}(?: [^>]*)?>\n(.*?)\n</{tag}>", prompt, re.DOTALL)[place]


def honest(answer: str, reference: str) -> bool:
    return reference in answer


def verdict(right: bool, reason: str = "As the reference says.") -> Say:
    return Say(json.dumps({"reason": reason, "verdict": right}))


def script(right: Verdict = honest, winner: Callable[[bool, bool], str] | None = None) -> Script:
    """Judges by `right`. `winner`: gets whether reply A and reply B are right, and returns A, B or tie."""

    def better(a: bool, b: bool) -> str:
        return "tie" if a == b else "A" if a else "B"

    def say(prompt: str, times: int) -> Say:
        reference = part(prompt, "reference") if "<reference>" in prompt else ""
        if "Reply A:" in prompt:
            both = (right(part(prompt, "reply", place), reference) for place in (0, 1))
            return Say(json.dumps({"reason": "Better.", "better": (winner or better)(*both)}))
        if "<passage" in prompt:
            reply = part(prompt, "reply")
            numbers = [place for place, text in enumerate(_passages(prompt), 1) if reply.split()[-1] in text]
            claim = {"claim": reply, "supported": bool(numbers), "passages": numbers}
            return Say(json.dumps({"reason": "Read them.", "claims": [claim]}))
        if "right to decline" in prompt:
            declines = "not in the passages" in part(prompt, "reply")
            return verdict(declines != ("had passages that hold the answer" in prompt))
        text = part(prompt, "answer" if "<answer>" in prompt else "reply")
        return verdict(right(text, reference))

    return say


def _passages(prompt: str) -> list[str]:
    return re.findall(r"<passage number=\"\d+\">\n(.*?)\n</passage>", prompt, re.DOTALL)
