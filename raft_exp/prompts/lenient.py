"""Reads the answer out of a reply in whatever form it was given; `replies.parse` takes the asked form alone.

The rules, in their order; the first that finds a sign of an answer decides, and takes the last one of its kind:

1. a JSON object with an "answer" (also in a fence, inside other text, or cut off)
2. an answer marker in any case and spelling: `##Answer:`, `## answer :`, `### Final Answer`
3. `\\boxed{...}`
4. a label at any place: `Answer: ...`, `**Final answer:** ...`, or `A: ...` at the start of a line
5. a sentence: `the answer is ...`, `the correct answer would be ...`
6. none of these: the last line; for closed labels the first line too, where it begins with a label

What is found is taken up to the end of its line, the next marker, or the end of its sentence where another one
follows; emphasis, quotation marks, brackets and a full stop around it go. Of closed labels the one at its start counts.
Quotes are taken away before anything is read: what a passage says is nobody's answer. The gold answer is never seen.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_QUOTED = re.compile(r"##begin_quote##.*?##end_quote##", re.DOTALL | re.IGNORECASE)
_UNENDED = re.compile(r"##begin_quote##.*?(?=(?<!#)#+\s*(?:final\s+)?answer\b|\Z)", re.DOTALL | re.IGNORECASE)
_BLOCK_QUOTE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)

_KEYS = ("answer", "final_answer", "final answer")
_HALF_JSON = re.compile(r"""["'](?:final[_ ])?answer["']\s*:\s*(["'])(.*?)(?:\1\s*[,}\n]|\1?\s*\Z)""", re.I | re.S)
_OBJECTS = 20  # the last so many braces are tried: a reply of braces alone must not take forever

_MARKER = re.compile(r"(?<!#)#+\s*(?:final\s+)?answer\s*(?:#+\s*:?|[:：]|\n)(.*)", re.I | re.S)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_LABELLED = re.compile(r"(?:(?<!\w)answer(?:\s+is)?[\s*_`]{0,4}[:：=]|^[ \t*_]*A[*_]*:)[\s*_`]*(.*)", re.I | re.M)
_LETTER_A = re.compile(r"[ \t*_]*a[*_]*:")  # "A:" is a label, "a:" is not
_TOLD = re.compile(
    r"(?<!\w)answer(?:\s+to\s+[^.\n]{1,100}?)?\s+(?:is|was|would\s+be|should\s+be|must\s+be)\s+(?:that\s+)?"
    r"(?!not\b|based\b|found\b|given\b|in\s+(?:the\s+)?(?:passage|context|document|text)|clear\b|as\s+follows)(.*)",
    re.I,
)

_NEXT_MARKER = re.compile(r"(?<!#)##+\s*\w|<\||</?[a-z]\w*>")
_LEADING_MARKER = re.compile(r"\A\s*#+\s*\w+\s*(?:#+\s*:?|[:：])\s*")
# "Paris. It is ..." ends at the full stop; "St. Louis", "J. R. R. Tolkien", "U.S. Army", "Portugal. The Man" do not
_SENTENCE_END = re.compile(r"(?:(?<=[a-z]{3})|(?<=[\d%)]))[.!?]\s+(?=[\"“(]?[A-Z]\S*(?:\s+\S+){2})")
_REASON = re.compile(r",\s+(?:because|since|as\s+(?:stated|mentioned|described|shown|the)|according\s+to)\s.*", re.S)
_AROUND = " \t\r\n*_`\"'“”‘’{}[]<>"


def extract(raw: str, labels: Sequence[str] = ()) -> str:
    """The answer that a reply gives, "" where it gives none. With `labels` the label at its start, where one is."""
    said = _BLOCK_QUOTE.sub("", _UNENDED.sub(" ", _QUOTED.sub(" ", raw)))
    found = _signed(said)
    candidates = [found] if found is not None else _lines(said)
    answers = [_bare(candidate) for candidate in candidates]
    named = (label for label in (_label(answer, labels) for answer in answers) if label)
    return next(named, answers[0] if answers else "")


def _signed(said: str) -> str | None:
    """What stands behind the most explicit sign of an answer; None without any."""
    for rule in (_from_json, _marked, _boxed, _labelled, _told):
        if (found := rule(said)) is not None:
            return found
    return None


def _from_json(said: str) -> str | None:
    if "answer" not in said.lower() or not ("{" in said or '"' in said):
        return None
    for value in _objects(said):
        for key, answer in value.items():
            if str(key).strip().lower() in _KEYS and (text := _text(answer)) is not None:
                return text
    cut = _HALF_JSON.search(said)
    return cut[2] if cut else None


def _objects(said: str) -> Iterator[dict[str, Any]]:
    """JSON objects in a text, the last one first."""
    decoder, starts = json.JSONDecoder(), [found.start() for found in re.finditer(r"\{", said)]
    for start in reversed(starts[-_OBJECTS:]):
        try:
            value, _ = decoder.raw_decode(said, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _text(answer: Any) -> str | None:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list) and answer:
        return _text(answer[0])
    return str(answer) if isinstance(answer, str | int | float) else None


def _marked(said: str) -> str | None:
    found = None
    while match := _MARKER.search(said):
        found = said = match[1]
    return found


def _boxed(said: str) -> str | None:
    found = _BOXED.findall(said)
    return found[-1] if found else None


def _labelled(said: str) -> str | None:
    found = [match for match in _LABELLED.finditer(said) if not _LETTER_A.match(match[0])]
    return found[-1][1] if found else None


def _told(said: str) -> str | None:
    found = _TOLD.findall(said)
    return found[-1] if found else None


def _lines(said: str) -> list[str]:
    """The last line and the first, without markers in front and fences."""
    lines = [_LEADING_MARKER.sub("", line, count=1) for line in said.splitlines()]
    full = [line for line in lines if line.strip(_AROUND)]
    return [full[-1], full[0]] if full else []


def _bare(found: str) -> str:
    line = next((line for line in found.splitlines() if line.strip(_AROUND)), "")
    line = _NEXT_MARKER.split(line.strip(), maxsplit=1)[0]
    line = _REASON.sub("", _SENTENCE_END.split(line, maxsplit=1)[0])
    return line.strip(_AROUND).rstrip(".;,:!" + _AROUND)


def _label(answer: str, labels: Sequence[str]) -> str:
    """The label that an answer begins with; "" for none."""
    first = re.match(r"\W*(\w+)(?!-?\w)", answer.lower())
    return first[1] if first and first[1] in labels else ""
