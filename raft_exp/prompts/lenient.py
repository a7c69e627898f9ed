"""Extracts the answer of a reply in any common form; `replies.parse` accepts only the form of the prompt.

The rules in their order. The first rule that matches decides, with its last match:

1. a JSON object with an "answer" (also in a fence, inside other text, or cut off)
2. an answer marker in any case and spelling: `##Answer:`, `## answer :`, `### Final Answer`
3. `\\boxed{...}`
4. a label at any place: `Answer: ...`, `**Final answer:** ...`, or `A: ...` at the start of a line
5. a sentence: `the answer is ...`, `the correct answer would be ...`
6. none of these: the last line; for closed labels the first line too, where it begins with a label

The match ends at the end of its line, at the next marker, or at the end of its sentence where another sentence
follows. Emphasis, quotation marks, brackets and a full stop around it are removed. With closed labels the label at its
start is the answer. Quotes of passages are removed first, as they are no answer. The gold answer is never used.
"""

import json
import re
from collections.abc import Iterator, Sequence

_QUOTED = re.compile(r"##begin_quote##.*?##end_quote##", re.DOTALL | re.IGNORECASE)
_UNENDED = re.compile(r"##begin_quote##.*?(?=(?<!#)#+\s*(?:final\s+)?answer\b|\Z)", re.DOTALL | re.IGNORECASE)
_BLOCK_QUOTE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)

_KEYS = ("answer", "final_answer", "final answer")
_HALF_JSON = re.compile(r"""["'](?:final[_ ])?answer["']\s*:\s*(["'])(.*?)(?:\1\s*[,}\n]|\1?\s*\Z)""", re.I | re.S)
_OBJECTS = 20  # only the last 20 braces are tried, to bound the time for a reply of many braces

_MARKER = re.compile(r"(?<!#)#+\s*(?:final\s+)?answer\s*(?:#+\s*:?|[:：]|\n)(.*)", re.I | re.S)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_LABELLED = re.compile(r"(?:(?<!\w)answer(?:\s+is)?[\s*_`]{0,4}[:：=]|^[ \t*_]*A[*_]*:)[\s*_`]*(.*)", re.I | re.M)
_LETTER_A = re.compile(r"[ \t*_]*a[*_]*:")  # "A:" introduces an answer, "a:" does not
_SENTENCE = re.compile(
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
    """The answer in a reply; "" without one. With `labels`, the label that the answer begins with, where it does."""
    reply = _BLOCK_QUOTE.sub("", _UNENDED.sub(" ", _QUOTED.sub(" ", raw)))
    marked = _by_rules(reply)
    candidates = [marked] if marked is not None else _lines(reply)
    answers = [_bare(candidate) for candidate in candidates]
    named = (label for label in (_label(answer, labels) for answer in answers) if label)
    return next(named, answers[0] if answers else "")


def _by_rules(reply: str) -> str | None:
    """The text behind the most explicit sign of an answer (rules 1 to 5); None without any."""
    for rule in (_from_json, _marked, _boxed, _labelled, _from_sentence):
        if (answer := rule(reply)) is not None:
            return answer
    return None


def _from_json(reply: str) -> str | None:
    if "answer" not in reply.lower() or not ("{" in reply or '"' in reply):
        return None
    for value in _objects(reply):
        for key, answer in value.items():
            if key.strip().lower() in _KEYS and (text := _text(answer)) is not None:
                return text
    cut = _HALF_JSON.search(reply)
    return cut[2] if cut else None


def _objects(reply: str) -> Iterator[dict[str, object]]:
    """The JSON objects in a reply, the last one first."""
    decoder, starts = json.JSONDecoder(), [brace.start() for brace in re.finditer(r"\{", reply)]
    for start in reversed(starts[-_OBJECTS:]):
        try:
            value, _ = decoder.raw_decode(reply, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _text(answer: object) -> str | None:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list) and answer:
        return _text(answer[0])
    return str(answer) if isinstance(answer, str | int | float) else None


def _marked(reply: str) -> str | None:
    answer = None
    while match := _MARKER.search(reply):
        answer = reply = match[1]
    return answer


def _boxed(reply: str) -> str | None:
    answers = _BOXED.findall(reply)
    return answers[-1] if answers else None


def _labelled(reply: str) -> str | None:
    matches = [match for match in _LABELLED.finditer(reply) if not _LETTER_A.match(match[0])]
    return matches[-1][1] if matches else None


def _from_sentence(reply: str) -> str | None:
    answers = _SENTENCE.findall(reply)
    return answers[-1] if answers else None


def _lines(reply: str) -> list[str]:
    """The last and the first line that hold text, without a marker at their start."""
    lines = [_LEADING_MARKER.sub("", line, count=1) for line in reply.splitlines()]
    full = [line for line in lines if line.strip(_AROUND)]
    return [full[-1], full[0]] if full else []


def _bare(candidate: str) -> str:
    """The first line that holds text, up to the next marker, reason or sentence, without signs around it."""
    line = next((line for line in candidate.splitlines() if line.strip(_AROUND)), "")
    line = _NEXT_MARKER.split(line.strip(), maxsplit=1)[0]
    line = _REASON.sub("", _SENTENCE_END.split(line, maxsplit=1)[0])
    return line.strip(_AROUND).rstrip(".;,:!" + _AROUND)


def _label(answer: str, labels: Sequence[str]) -> str:
    """The label that an answer begins with; "" without one."""
    first = re.match(r"\W*(\w+)(?!-?\w)", answer.lower())
    return first[1] if first and first[1] in labels else ""
