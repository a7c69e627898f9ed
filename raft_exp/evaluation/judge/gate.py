"""The gate of a judge: a reply must be one JSON object with exactly the fields of its task.

A message of the gate names the fault and never repeats the reply, because it becomes part of the next prompt.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from raft_exp.evaluation.judge.rows import JudgedClaim
from raft_exp.prompts.visible import without_thinking
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected, unusable

_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_SHARES = {True: 1.0, False: 0.0}

VERDICT, CLAIMS, BETTER = ("reason", "verdict"), ("reason", "claims"), ("reason", "better")  # fields of a reply
_CLAIM = ("claim", "supported", "passages")
_NO_JSON = object()


@dataclass(frozen=True)
class Judged:
    """A valid judgement of one reply."""

    value: float  # 1 right, 0 wrong; of a task with claims the share of supported ones
    words: str  # the judge's reason
    claims: list[JudgedClaim] | None = None  # None: the task has none


@dataclass(frozen=True)
class Preferred:
    """A valid comparison of two replies."""

    better: str  # A (shown first) | B | tie
    words: str  # the judge's reason


def verdict(entry: LedgerEntry) -> Judged | Rejected:
    """Returns the judgement of a reply {"reason": text, "verdict": true or false}, or why the reply is rejected."""
    fields = _fields(entry, VERDICT)
    if isinstance(fields, Rejected):
        return fields
    if not isinstance(fields["verdict"], bool):
        return Rejected("no_verdict", '"verdict" must be true or false, without quotation marks')
    return Judged(_SHARES[fields["verdict"]], str(fields["reason"]))


def claims(entry: LedgerEntry, passages: int) -> Judged | Rejected:
    """Returns the judgement of a reply {"reason": text, "claims": [{"claim", "supported", "passages"}, ...]}.

    Its value is the share of supported claims. `passages`: number of passages in the prompt. Returns a rejection for a
    reply of another form, without a claim, or whose passages do not exist or contradict `supported`.
    """
    fields = _fields(entry, CLAIMS)
    if isinstance(fields, Rejected):
        return fields
    rows = fields["claims"]
    if not isinstance(rows, list) or not rows:
        return Rejected("no_claims", '"claims" must be a list with at least one claim: the reply states something')
    checked: list[JudgedClaim] = []
    for row in rows:
        claim = _claim(row, passages)
        if isinstance(claim, Rejected):
            return claim
        checked.append(claim)
    share = sum(claim["supported"] for claim in checked) / len(checked)
    return Judged(share, str(fields["reason"]), checked)


def better(entry: LedgerEntry) -> Preferred | Rejected:
    """Returns the comparison of a reply {"reason": text, "better": "A", "B" or "tie"}, or why the reply is rejected."""
    fields = _fields(entry, BETTER)
    if isinstance(fields, Rejected):
        return fields
    if fields["better"] not in ("A", "B", "tie"):
        return Rejected("no_winner", '"better" must be "A", "B" or "tie"')
    return Preferred(str(fields["better"]), str(fields["reason"]))


def _claim(row: object, passages: int) -> JudgedClaim | Rejected:
    if not isinstance(row, dict) or set(row) != set(_CLAIM):
        return Rejected("claim_form", f"each claim must have exactly the fields {_listed(_CLAIM)}")
    claim, supported, numbers = (row[name] for name in _CLAIM)
    if not isinstance(claim, str) or not claim.strip() or not isinstance(supported, bool):
        return Rejected("claim_form", '"claim" must be a text, and "supported" true or false')
    if not isinstance(numbers, list) or not all(type(number) is int and 1 <= number <= passages for number in numbers):
        return Rejected("unknown_passage", f'"passages" must be a list of numbers from 1 to {passages}')
    if supported != bool(numbers):
        return Rejected("claim_form", "a supported claim names its passages, and an unsupported one names none: []")
    return {"claim": claim.strip(), "supported": supported, "passages": sorted(set(numbers))}


def _fields(entry: LedgerEntry, names: Sequence[str]) -> dict[str, object] | Rejected:
    """Returns the fields of a reply that is one JSON object with exactly `names`.

    A code fence around it, and the thinking of a model before it (`<think>`), are allowed.
    """
    if rejected := unusable(entry):
        return rejected
    found = _parsed(entry.answer)
    if found is _NO_JSON:
        found = _parsed(without_thinking(entry.answer))
    if found is _NO_JSON:
        return Rejected("not_json", f"it was not one JSON object, with each of the fields {_listed(names)} once")
    if not isinstance(found, dict) or set(found) != set(names):
        return Rejected("other_fields", f"it must be one JSON object with exactly the fields {_listed(names)}")
    if not isinstance(found["reason"], str):
        return Rejected("no_reason", '"reason" must be a text')
    return {**found, "reason": found["reason"].strip()}


def _parsed(text: str) -> object:
    """Returns the JSON value of a text; _NO_JSON if the text is not JSON, or an object in it has a field twice."""
    fenced = _FENCE.fullmatch(text.strip())
    try:
        return json.loads(fenced[1] if fenced else text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return _NO_JSON


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Returns the fields of a JSON object. Raises ValueError for a field that occurs twice, such as two verdicts."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field occurs twice")
    return dict(pairs)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(f'"{name}"' for name in names[:-1]), f'"{names[-1]}"'])
