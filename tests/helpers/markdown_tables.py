"""Finds tables that Markdown does not show as tables."""

import re
from itertools import groupby

RULE = re.compile(r"\|(?: ?:?-+:? ?\|)+")
PIPE = re.compile(r"(?<!\\)\|")


def broken_tables(markdown: str) -> list[str]:
    """Returns the first line of each block of `|` lines that is not a head, a rule and rows of as many cells."""
    blocks = (list(block) for is_row, block in groupby(markdown.splitlines(), lambda line: line[:1] == "|") if is_row)
    return [block[0] for block in blocks if not _is_table(block)]


def _is_table(block: list[str]) -> bool:
    widths = {len(PIPE.findall(line)) for line in block}
    return len(block) > 2 and bool(RULE.fullmatch(block[1].strip())) and len(widths) == 1
