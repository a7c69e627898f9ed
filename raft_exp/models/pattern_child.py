"""`python -m raft_exp.models.pattern_child`: matches regular expressions with names of modules, as PEFT will.

`adapter_checks` starts it. A pattern can take years, and Python's matcher handles no signal meanwhile.
"""

import re
from typing import TypedDict

from raft_exp.core import limited


class Patterns(TypedDict):
    """What the child receives."""

    patterns: list[str]
    names: list[str]


def fault(data: Patterns) -> str:
    """Matches every pattern with every name. Returns the error of a pattern that is no regular expression, else ""."""
    for pattern in data["patterns"]:
        try:
            whole, last = re.compile(pattern), re.compile(rf"(.*\.)?({pattern})$")
            layers = re.compile(rf".*\.[^.]*\.{pattern}\.(\d+)\.")
        except re.error as error:
            return f"{pattern!r:.60} is no regular expression ({error})"
        for name in data["names"]:
            for form in (whole.fullmatch, last.match, layers.match):
                form(name)
    return ""


if __name__ == "__main__":
    limited.answer(fault)
