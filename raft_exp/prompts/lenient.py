"""Extracts the answer from a reply of any common form; `replies.parse` accepts only the form that the prompt requests.

Thinking, quotes of passages and text after the end token are removed first (`visible`). Then the first of these rules
that matches gives the answer. If this rule matches several times, the last match gives the answer (of rule 5, the last
label with "final", if there is one). If the reply continues with a new question, its text from there on is ignored.

1. `<answer>...</answer>`
2. a JSON object with an "answer" (also in a fence, inside other text, or cut off)
3. an answer marker in any case and spelling: `##Answer:`, `## answer :`, `### Final Answer`
4. `\\boxed{...}`
5. a label at any place, in several languages: `Answer: ...`, `**Final answer:** ...`, `A: ...` at the start of a line
6. a sentence: `the answer is ...`, `the correct answer would be ...`
7. otherwise the lines and sentences that do not decline to answer (`free_text`)

A reply that declines to answer has no answer. If the answers are labels, the answer is the label that the reply names
(`named_labels`). Otherwise a sentence is shortened with the words of the question (`short_answers`). An answer that
cannot be found is "". The reference answer and the passages are never used.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raft_exp.prompts import free_text, named_labels
from raft_exp.prompts.refusals import abstained, without_refusals
from raft_exp.prompts.visible import visible

_KEYS = ("answer", "final_answer", "final answer", "finalanswer", "short_answer", "short answer")
_OTHER_KEYS = ("decision", "final_decision", "label", "prediction", "result", "response", "output")
_HALF_JSON = re.compile(
    r"""["'](?:final[_ ]?|short[_ ]?)?answer["']\s{0,9}:\s{0,9}(["'])(.*?)(?:\1\s{0,9}[,}\n]|\1?\s{0,9}\Z)""",
    re.I | re.S,
)
_OBJECTS = 20  # only the last 20 opening braces are tried, to bound the time for a reply with many braces

_TAG = re.compile(r"<\s?(?:final[_ -]?|short[_ -]?)?(?:answer|ans)\s?>", re.I)
_WORD = (
    r"(?:(?<![^\W_])(?:answer|antwort|réponse|reponse|respuesta|risposta|resposta|antwoord|ответ)|答案|回答|答え|答|정답|답변|답"
    r"|(?:ال)?(?:إجابة|اجابة|جواب)|उत्तर|जवाब)"
    r"(?:\s(?:finale?|definitiva))?"
)
_BEFORE = r"(?:(?:final|short|correct|my|the|endgültige|最终|最終)\s{0,3}){0,3}"
_MARKER = re.compile(rf"(?<!#)#+\s{{0,9}}\**\s?{_BEFORE}{_WORD}\s{{0,9}}\**(?:#+\s{{0,9}}:?|[:：]|\n)", re.I)
_BOXED = re.compile(r"\\f?boxed\s?\{?")
_LABELLED = re.compile(
    rf"(?:{_WORD}(?:\s(?:is|ist))?[\s*_`]{{0,4}}(?:[:：=]|\s[-–—]\s)"
    r"|^[ \t*_#]{0,9}(?:(?:final\s)?(?:decision|conclusion|verdict|label)|A)[*_]{0,3}[:：])[ \t*_`]{0,9}"
    rf"|^[ \t]{{0,9}}\*\*{_BEFORE}answer:?\*\*:?[ \t]*$\n|(?:答案|答え)(?:是|为|為|は)",
    re.I | re.M,
)
_LETTER_A = re.compile(r"[ \t*_#]*a[*_]*[:：]")  # "A:" introduces an answer, "a:" does not
_SENTENCE = re.compile(
    r"(?<![^\W_])(?<!\bno\s)(?:(?:answer|option|choice)(?:\s+to\s+[^.\n]{1,150}?)?\s+(?:is|was|would\s+be|"
    r"should\s+be|must\s+be|will\s+be)"
    r"|antwort\s+(?:ist|lautet|wäre)|réponse\s+est|respuesta\s+es|risposta\s+è|"
    r"resposta\s+é)[\s*_]{1,5}(?:that\s+|clearly\s+|simply\s+)?",
    re.I,
)
_FINAL = re.compile(r"(?:final|short|最终|最終)\W{0,5}\Z", re.I)
_NO_ANSWER_BEHIND = re.compile(
    r"(?:based|found|given\s+(?:in|by)|in\s+(?:the\s+)?(?:passage|context|document|text)|clear|as\s+follows|"
    r"correct|right|wrong)\b",
    re.I,
)


@dataclass(frozen=True)
class Said:
    """The part of a reply that contains the answer. `marked`: whether a rule from 1 to 6 of the module found it."""

    text: str
    marked: bool


def extract(raw: str, labels: Sequence[str] = (), question: str = "") -> str:
    """Returns the answer in a reply, or "". `labels`: if given, the answer is one of these (in lower case), or ""."""
    reply = said(raw, question)
    if abstained(reply.text, "", question):
        return ""
    if labels:
        return named_labels.named(reply.text, labels, reply.marked)
    if reply.marked:
        return free_text.bare(reply.text, question)
    return free_text.answer(without_refusals(reply.text, question), question)


def said(raw: str, question: str = "") -> Said:
    """Applies rules 1 to 6 of the module in order, and returns the text that the first matching rule finds.

    If no rule matches, returns the whole reply as shortened by `visible`.
    """
    reply = free_text.before_next_question(visible(raw), question)
    for rule in (_tagged, _from_json, _marked, _boxed, _labelled, _from_sentence):
        if (answer := rule(reply)) is not None:
            return Said(answer, True)
    return Said(reply, False)


def _tagged(reply: str) -> str | None:
    tags = list(_TAG.finditer(reply))
    return reply[tags[-1].end() :].partition("</")[0] if tags else None


def _from_json(reply: str) -> str | None:
    if not ("{" in reply or '"' in reply or "'" in reply):
        return None
    objects = list(_objects(reply))
    for keys in (_KEYS, _OTHER_KEYS):
        for value in objects:
            for key, answer in value.items():
                if key.strip().lower() in keys and (text := _text(answer)) is not None:
                    return text
    cut = _HALF_JSON.search(reply) if "answer" in reply.lower() else None
    return cut[2] if cut else None


def _objects(reply: str) -> Iterator[dict[str, object]]:
    """Yields the JSON objects in a reply, the last object first."""
    decoder, starts = json.JSONDecoder(), [brace.start() for brace in re.finditer(r"\{", reply)]
    for start in reversed(starts[-_OBJECTS:]):
        try:
            value, _ = decoder.raw_decode(reply, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _text(answer: object) -> str | None:
    if answer is None:
        return "null"
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list) and answer:
        return ", ".join(map(str, answer)) if set(map(type, answer)) == {str} and _closed(answer) else _text(answer[0])
    if isinstance(answer, dict):
        return next((_text(answer[key]) for key in ("text", "value", *_KEYS) if key in answer), None)
    return str(answer) if isinstance(answer, str | int | float) else None


def _closed(answers: Sequence[object]) -> bool:
    """Whether a list of answers has several entries that are all labels (yes, no, maybe): no decision."""
    return len(answers) > 1 and all(str(answer).strip().lower() in ("yes", "no", "maybe") for answer in answers)


def _marked(reply: str) -> str | None:
    return _last(_MARKER, reply)


def _boxed(reply: str) -> str | None:
    boxes = list(_BOXED.finditer(reply))
    if not boxes:
        return None
    depth, start = 1, boxes[-1].end()
    for place in range(start, len(reply)):
        depth += {"{": 1, "}": -1}.get(reply[place], 0)
        if not depth:
            return free_text.unlatexed(reply[start:place])
    return free_text.unlatexed(reply[start:].partition("\n")[0].rstrip("$] \\"))


def _labelled(reply: str) -> str | None:
    matches = [match for match in _LABELLED.finditer(reply) if not _LETTER_A.fullmatch(match[0].rstrip(" \t*_`"))]
    preferred = [match for match in matches if _FINAL.search(reply, max(0, match.start() - 12), match.start())]
    return _behind(reply, preferred or matches)


def _from_sentence(reply: str) -> str | None:
    matches = [match for match in _SENTENCE.finditer(reply) if not _NO_ANSWER_BEHIND.match(reply, match.end())]
    return _behind(reply, matches)


def _last(pattern: re.Pattern[str], reply: str) -> str | None:
    return _behind(reply, list(pattern.finditer(reply)))


def _behind(reply: str, signs: Sequence[re.Match[str]]) -> str | None:
    """Returns the text after the last match of a rule; None without a match.

    If the reply continues with a new question after its first answer, the text from there on is ignored.
    """
    if not signs:
        return None
    following = free_text.next_question(reply, signs[0].end())
    before = [sign for sign in signs if following is None or sign.start() < following]
    return reply[before[-1].end() : following]
