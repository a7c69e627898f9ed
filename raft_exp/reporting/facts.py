"""Nested figures and settings as lines that a page can list."""

from collections.abc import Iterator, Mapping
from typing import Any

_LINES = 60

Facts = list[tuple[str, str]]


def audits(audit: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(heading, figures) of each data set."""
    for name, found in audit["datasets"].items():
        yield f"training set {name}", found
    yield "test set", audit["test"]
    yield from ((f"the teacher's {name}", audit[name]) for name in ("questions", "targets") if name in audit)


def quarantine(audit: Mapping[str, Any]) -> Iterator[str]:
    """What a reader must know of a teacher's replies that could not be used."""
    asked = audit.get("questions", {})
    found = [
        ("passages gave no usable question", asked.get("written")),
        ("written questions could not be answered from their passage", asked.get("checked")),
        ("questions got no usable target, and are trained on by no arm", audit.get("targets")),
    ]
    for what, figures in found:
        if figures and figures["quarantined"]:
            share = figures["quarantined"] / figures["asked"]
            reasons = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in figures["reasons"].items())
            yield f"{figures['quarantined']:,} of {figures['asked']:,} {what} ({share:.1%}): {reasons}."


def drawn(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the split that is learned, or asked, where no other has rows."""
    splits = found.get("splits", {})
    shown: Mapping[str, Any] = splits.get("train") or next(iter(splits.values()), {})
    return shown


def facts(value: Mapping[str, Any]) -> Facts:
    """A nested mapping as lines of (dotted name, text); long lists by their length."""
    found = list(_leaves("", value))
    if len(found) > _LINES:
        found[_LINES:] = [("\N{HORIZONTAL ELLIPSIS}", f"{len(found) - _LINES} more, in the JSON file")]
    return found


def text(value: Any) -> str:
    """A setting or figure for readers."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and not (name and _fits_a_line(value)):
        for key, inner in value.items():
            if key == "histogram":  # it is drawn
                continue
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list) and not _fits_a_line(dict(enumerate(value))):
        yield name, f"{len(value):,} entries"
    else:
        yield name, text(value)


def _fits_a_line(value: Mapping[Any, Any]) -> bool:
    return len(value) <= 8 and not any(isinstance(item, dict | list) for item in value.values())
