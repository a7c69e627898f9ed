"""Formats nested figures and settings as lines of text for a page, and lists the sections of an audit."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from raft_exp.core.audit import DatasetAudit, SplitAudit, StudyAudit

_LINES = 100

Facts = list[tuple[str, str]]


class AuditSection(NamedTuple):
    """The audit of one dataset, or of a teacher's replies, as a section of a page."""

    heading: str
    figures: Mapping[str, object]
    split: SplitAudit | None = None  # the split to draw; None for a teacher's replies


def audit_sections(audit: StudyAudit) -> Iterator[AuditSection]:
    """Yields the sections of the training sets and the test set, and of the texts that a teacher model wrote."""
    for name, dataset in audit["datasets"].items():
        yield AuditSection(f"training set {name}", dataset, main_split(dataset))
    yield AuditSection("test set", audit["test"], main_split(audit["test"]))
    if "gold_test" in audit:
        yield AuditSection("test set with gold alone", audit["gold_test"], main_split(audit["gold_test"]))
    if "questions" in audit:
        yield AuditSection("the teacher's questions", audit["questions"])
    if "targets" in audit:
        yield AuditSection("the teacher's targets", audit["targets"])
    if "references" in audit:
        yield AuditSection("the teacher's texts for the evaluation", audit["references"])


def quarantine(audit: StudyAudit) -> Iterator[str]:
    """Yields a line for each kind of rejected teacher reply, with the number of replies by reason."""
    questions = audit.get("questions")
    replies = [
        ("passages gave no usable question", questions["written"] if questions else None),
        ("written questions could not be answered from their passage", questions.get("checked") if questions else None),
        ("questions got no usable target and are in no training set", audit.get("targets")),
        ("questions of the evaluation got no usable text to compare the wording with", audit.get("references")),
    ]
    for what, figures in replies:
        if figures and figures["quarantined"]:
            share = figures["quarantined"] / figures["asked"]
            reasons = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in figures["reasons"].items())
            yield f"{figures['quarantined']:,} of {figures['asked']:,} {what} ({share:.1%}): {reasons}."


def main_split(dataset: DatasetAudit) -> SplitAudit | None:
    """Returns the training split, else the first split; None if the audit has no splits."""
    splits = dataset.get("splits", {})
    return splits.get("train") or next(iter(splits.values()), None)


def section(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Returns a nested group of settings; {} if it is missing or null."""
    value = settings.get(name)
    return value if isinstance(value, Mapping) else {}


def facts(value: Mapping[str, object]) -> Facts:
    """Flattens nested figures or settings to at most 100 pairs (dotted name, text). A long list becomes its length.

    Histograms are left out. If there are more than 100 pairs, a last pair gives the number of the missing ones.
    """
    lines = list(_leaves("", value))
    if len(lines) > _LINES:
        lines[_LINES:] = [("\N{HORIZONTAL ELLIPSIS}", f"{len(lines) - _LINES} more, in the JSON file")]
    return lines


def text(value: object) -> str:
    """Formats a setting or a figure for readers."""
    if isinstance(value, Mapping) and set(value) == {"min", "max"}:
        return range_text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(text, value)) or "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def range_text(value: Mapping[str, object]) -> str:
    """Formats a range of a setting: `0 to 8` for {min: 0, max: 8}."""
    return f"{text(value['min'])} to {text(value['max'])}"


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and not (name and _fits_a_line(value)):
        for key, inner in value.items():
            if key == "histogram":  # shown as a plot
                continue
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list) and not _fits_a_line(dict(enumerate(value))):
        yield name, f"{len(value):,} entries"
    else:
        yield name, text(value)


def _fits_a_line(value: Mapping[object, object]) -> bool:
    return len(value) <= 8 and not any(isinstance(item, dict | list) for item in value.values())
