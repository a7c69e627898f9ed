"""The questions of APIBench: lines of {code, api_call, provider, api_data}.

`code` is one text with the instruction and the output. Its layouts:

    ###Instruction: ...\\n###Output: <<<domain>>>: ..., <<<api_call>>>: ...
    {'Instruction': ..., 'Output': {'domain': ..., 'api_call': "...", ...}}

The second layout looks like a Python dictionary, but most lines are not valid Python. Lines of other forms are read as
far as possible, and counted by their fault.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from raft_exp.corpora.apibench.documentation import one_line
from raft_exp.corpora.apibench.sources import Sources
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.json_records import Row

_MARK = re.compile(r"\s*#*[ \t]*Instruction[ \t]*:", re.I)
_KEY = re.compile(r"""\s*\{\s*['"]?Instruction['"]?\s*:""", re.I)
_OUTPUT_MARK = re.compile(r"#{2,}[ \t]*Output[ \t]*(?::|(?=\n))|<<<domain>>>", re.I)
_OUTPUT_KEY = re.compile(r"""\s*,\s*['"]Output['"]\s*:|#{2,}[ \t]*Output[ \t]*:""", re.I)
_INPUT_MARK = re.compile(r"#{2,}[ \t]*Input[ \t]*:", re.I)
_QUOTES = ("'", '"')


@dataclass(frozen=True)
class Line:
    """A line of a file of questions."""

    id: str
    hub: str
    instruction: str
    call: str
    domain: str
    data: Row  # the documentation of the API, as the line repeats it
    is_test: bool  # the line is in the test file of a hub that also has a training file
    is_alone: bool  # the hub of the line has only one file of questions


@dataclass(frozen=True)
class Instruction:
    """The instruction in a field `code`, and the faults of the field, each as the name of a count."""

    text: str
    odd: list[str] = field(default_factory=list)


def lines(source: Sources, counts: Counter[str]) -> Iterator[Line]:
    """Yields the lines of a hub that have an instruction and a call, first those of the test file."""
    for part, path in (("eval", source.test), ("train", source.train)):
        for number, (_, row) in enumerate(json_records.placed(path) if path else (), start=1):
            counts[f"{source.hub}_{part}_lines"] += 1
            read = instruction(row.get("code"))
            counts.update(f"odd_{name}" for name in read.odd)
            line = _line(source, f"{source.hub}:{part}:{number}", row, read.text, part == "eval")
            counts["odd_without_api_call"] += not line.call
            if line.instruction and line.call:
                yield line


def _line(source: Sources, name: str, row: Row, text: str, in_test_file: bool) -> Line:
    data = row.get("api_data")
    api: Row = data if isinstance(data, dict) else {}
    call = one_line(row.get("api_call")) or one_line(api.get("api_call"))
    alone = source.train is None
    return Line(name, source.hub, text, call, one_line(api.get("domain")), api, in_test_file and not alone, alone)


def instruction(code: object) -> Instruction:
    """Reads the instruction in a field `code` of any layout. `Instruction.text` is "" if there is none."""
    if isinstance(code, dict):
        text = one_line(code.get("Instruction", code.get("instruction")))
        return Instruction(text, ["code_no_text", *([] if text else ["without_instruction"])])
    odd = [] if isinstance(code, str) else ["code_no_text"]
    text = code if isinstance(code, str) else "\n".join(map(str, code)) if isinstance(code, list) else ""
    if key := _KEY.match(text):
        odd.append("dictionary_layout")
        read, end = _before(text, key.end(), _OUTPUT_KEY)
        read = _unquoted(read)
    else:
        mark = _MARK.match(text)
        odd += [] if mark else ["without_instruction_mark"]
        odd += ["spaced_instruction_mark"] if mark and re.search(r"#\s", mark[0]) else []
        read, end = _before(text, mark.end() if mark else 0, _OUTPUT_MARK)
    output = text[end:] if end is not None else ""
    odd += ["without_output_mark"] if end is None or output.startswith("<") else []
    odd += ["output_without_api_call"] if output and "api_call" not in output else []
    odd += ["with_input"] if _INPUT_MARK.search(read) else []
    odd += [] if read.strip() else ["without_instruction"]
    return Instruction(read.strip(), odd)


def _before(text: str, start: int, end: re.Pattern[str]) -> tuple[str, int | None]:
    """Returns (text from `start` to the first match of `end`, start of the match).

    Without a match, returns (text from `start`, None).
    """
    found = end.search(text, start)
    return (text[start : found.start()], found.start()) if found else (text[start:], None)


def _unquoted(text: str) -> str:
    """Removes quotation marks around an instruction, also if one of the two is missing."""
    bare = text.strip()
    first, last, inner = bare[:1], bare[-1:], bare[1:-1]
    if len(bare) > 1 and first == last and first in _QUOTES and first not in inner.replace(f"\\{first}", ""):
        return inner.replace(f"\\{first}", first)
    if first in _QUOTES and bare.count(first) % 2:
        return bare[1:]
    return bare[:-1] if last in _QUOTES and bare.count(last) % 2 else bare
