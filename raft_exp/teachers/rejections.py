"""Describes why a teacher's replies are rejected, in a warning about questions without a usable reply."""

from collections.abc import Mapping

from raft_exp.core.audit import ReplyAudit

NOTICEABLE = 0.05  # share of the questions from which the warning is shown

_GATE = "teacher.targets.gate."
_OTHER_MODEL = "use another teacher model (teacher.model)"
# Reason (`teachers.gate`, `tasks.replies`) -> the fault of the replies, and the setting with which more of them pass.
_REASONS = {
    "long_answer": ("the answer had too many words", f"raise {_GATE}max_answer_words"),
    "long": ("the reasoning had too many words", f"raise {_GATE}max_words"),
    "short": ("the reasoning had too few words", f"lower {_GATE}min_words"),
    "few_quotes": ("the reasoning had too few quotes", f"lower {_GATE}min_quotes"),
    "quote_not_in_gold": ("a quote does not stand word for word in a gold passage", _OTHER_MODEL),
    "broken_quotes": ("the marks of the quotes were not in pairs", _OTHER_MODEL),
    "quote_in_answer": ("the answer held the mark of a quote", _OTHER_MODEL),
    "other_answer": ("the answer was not the verified one", f"{_OTHER_MODEL}, or set {_GATE}agrees=false"),
    "no_answer_marker": ("the reply was not in the requested form", _OTHER_MODEL),
    "several_answers": ("the reply had several answers", _OTHER_MODEL),
    "marker": ("the reply held a marker", _OTHER_MODEL),
    "refusal": ("the teacher declined to answer", f"check the gold passages, or {_OTHER_MODEL}"),
    "cut_off": ("the reply was cut off", "raise teacher.targets.max_new_tokens"),
    "empty": ("the reply was empty", "raise teacher.targets.max_new_tokens for a model that thinks before it replies"),
    "filtered": ("a content filter withheld the reply", _OTHER_MODEL),
    "refused_by_server": (
        "the server refused the request, mostly because it is too long",
        "lower corpus.chunk.size, or use a teacher with a longer context (teacher.model)",
    ),
}


def lost_targets(figures: ReplyAudit, gate: Mapping[str, object]) -> str:
    """Returns the warning about questions without a target; "" if they are fewer than 5%.

    `gate`: settings of the task's gate.
    """
    return _warning(figures, "got no usable target and are in no training set", "targets", gate)


def lost_references(figures: ReplyAudit, gate: Mapping[str, object]) -> str:
    """Returns the warning about questions of the evaluation without a target; "" if they are fewer than 5%.

    The wording of the model's replies is compared with these targets. `gate`: settings of the task's gate.
    """
    name = f"targets@{next(iter(figures['splits']), 'test')}"
    return _warning(figures, "of the evaluation got no usable text to compare the wording with", name, gate)


def _warning(figures: ReplyAudit, lost: str, name: str, gate: Mapping[str, object]) -> str:
    """Returns one line about questions without a usable reply; "" if they are fewer than 5%.

    The line has their number, the most frequent reason, and the setting that helps with its value in `gate`. `lost`:
    the consequence for the questions, as the end of a sentence. `name`: name of the quarantine file.
    """
    asked, lacking = figures["asked"], figures["quarantined"]
    if not lacking or lacking < NOTICEABLE * asked:
        return ""
    reason, count = max(figures["reasons"].items(), key=lambda item: item[1])
    words, remedy = _REASONS.get(reason, (reason.replace("_", " "), _OTHER_MODEL))
    setting = remedy.rpartition(_GATE)[2]
    value = f" (now {gate[setting]})" if setting in gate else ""
    which = "The reason" if len(figures["reasons"]) == 1 else f"The most frequent reason ({count:,})"
    return (
        f"{lacking:,} of {asked:,} questions ({lacking / asked:.1%}) {lost}. {which}: {words}. "
        f"{remedy[0].upper()}{remedy[1:]}{value}; quarantine/{name}.jsonl has the replies."
    )
