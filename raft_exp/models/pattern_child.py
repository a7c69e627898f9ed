"""`python -m raft_exp.models.pattern_child`: matches regular expressions with names of modules, as PEFT does.

`adapter_checks` runs this module as a child process with a time limit. The match of a bad pattern can take years, and
Python cannot interrupt it within a process.
"""

import re
from typing import TypedDict

from raft_exp.core import limited


class Patterns(TypedDict):
    """The input of the child process: regular expressions, and module names to match them with."""

    patterns: list[str]
    names: list[str]


def fault(data: Patterns) -> str:
    """Matches each pattern with each name. Returns a message about the first invalid pattern; "" if all are valid."""
    for pattern in data["patterns"]:
        try:
            whole, last = re.compile(pattern), re.compile(rf"(.*\.)?({pattern})$")
            layers = re.compile(rf".*\.[^.]*\.{pattern}\.(\d+)\.")
        except re.error as error:
            return f"{pattern!r:.60} is not a regular expression ({error})"
        for name in data["names"]:
            for form in (whole.fullmatch, last.match, layers.match):
                form(name)
    return ""


if __name__ == "__main__":
    limited.answer(fault)
