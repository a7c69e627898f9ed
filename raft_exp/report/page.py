"""report.html and report.md: what their templates need, as plain text that the templates escape and lay out."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raft_exp.report import plots, retrieval
from raft_exp.report.verdict import distinguishable, p_text, percent, points, title
from raft_exp.scoring import REPLY_SHARES
from raft_exp.statistics import PERMUTATIONS, RESAMPLES

_AUDIT_LINES = 60
_MARKDOWN = re.compile(r"[\\`*\[\]|#~]|(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])")


def write_pages(
    out: Path,
    *,
    results: Mapping[str, Any],
    audit: Mapping[str, Any],
    losses: Mapping[str, Mapping[str, plots.Curve]],
    study: str,
    note: str,
    arms: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> None:
    """Writes report.html (one file, nothing loaded from elsewhere) and report.md."""
    from markupsafe import Markup

    view = {
        "study": study,
        "note": note,
        "results": results,
        **_tables(results),
        "arms": {name: _facts(arm) for name, arm in arms.items()},
        "settings": _facts(settings),
        "audit": {
            name: {"facts": _facts(found), "plot": Markup(plots.audit(_train(found)))} for name, found in _audits(audit)
        },
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        # Markup: SVG of our own making, in which matplotlib has escaped every text.
        "interval_plot": Markup(plots.intervals(results)),
        "condition_plot": Markup(plots.conditions(results)),
        "loss_plot": Markup(plots.losses(losses)),
    }
    _write(out / "report.html", "report.html.j2", view, markdown=False)
    _write(out / "report.md", "report.md.j2", view, markdown=True)


def _write(path: Path, template: str, view: Mapping[str, Any], *, markdown: bool) -> None:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("raft_exp.report", "templates"),
        undefined=StrictUndefined,
        autoescape=not markdown,
        finalize=markdown_text if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template(template).render(view)
    path.write_text(page, encoding="utf-8", errors="backslashreplace", newline="\n")


def markdown_text(value: Any) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no new table cell."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\g<0>", text)


def _tables(results: Mapping[str, Any]) -> dict[str, Any]:
    metrics, arms = results["metrics"], results["arms"]
    marked = {(found["b"], found["metric"]) for found in results["comparisons"] if distinguishable(found)}
    return {
        "metrics": [title(metric) for metric in metrics],
        "rows": [_row(name, arm, metrics, marked) for name, arm in arms.items()],
        "baselines": [
            _row(
                f"{name} (always \N{LEFT DOUBLE QUOTATION MARK}{arm['label']}\N{RIGHT DOUBLE QUOTATION MARK})"
                if "label" in arm
                else f"{name} (any label by chance)",
                arm,
                metrics,
            )
            for name, arm in results["baselines"].items()
        ],
        "reply_shares": [title(name) for name in REPLY_SHARES],
        "replies": [_reply_row(name, arm) for name, arm in arms.items()],
        "differences": [_differences(metric, results) for metric in metrics if _compared(metric, results)],
        "conditions": _conditions(results, metrics[0]),
        "retrieval": retrieval.table(results["retrieval"]),
        "slices": [_slice(name, groups, metrics[0]) for name, groups in results["slices"].items()],
    }


def _row(
    name: str, arm: Mapping[str, Any], metrics: list[str], marked: set[tuple[str, str]] | frozenset[Any] = frozenset()
) -> dict[str, Any]:
    return {"name": name, "cells": [{**_cell(arm["metrics"].get(m)), "marked": (name, m) in marked} for m in metrics]}


def _cell(found: Mapping[str, float] | None) -> dict[str, str]:
    if found is None:
        return {"value": "\N{EN DASH}", "interval": "does not reason"}
    low, high = percent(found["low"]), percent(found["high"])
    return {"value": percent(found["value"]), "interval": f"{low}\N{EN DASH}{high}"}


def _reply_row(name: str, arm: Mapping[str, Any]) -> dict[str, Any]:
    shares = [percent(arm["metrics"][share]["value"]) for share in REPLY_SHARES]
    answered = f"{arm['answered']:,} of {arm['n']:,}"
    return {"name": name, "answered": answered, "short": arm["answered"] < arm["n"], "cells": shares}


def _compared(metric: str, results: Mapping[str, Any]) -> bool:
    return any(found["metric"] == metric for found in results["comparisons"])


def _differences(metric: str, results: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "name": found["b"],
            "points": points(found["difference"]),
            "interval": f"{points(found['low'])} to {points(found['high'])}",
            "p_value": p_text(found["p_value"]).removeprefix("p ").removeprefix("= "),
            "p_value_holm": p_text(found["p_value_holm"]).removeprefix("p ").removeprefix("= "),
            "marked": distinguishable(found),
        }
        for found in results["comparisons"]
        if found["metric"] == metric
    ]
    return {"metric": title(metric), "rows": rows}


def _slice(name: str, groups: Mapping[str, Any], metric: str) -> dict[str, Any]:
    rows = [
        {
            "name": value,
            "n": f"{next(iter(arms.values()))['n']:,}",
            "cells": [_cell(arm["metrics"][metric]) for arm in arms.values()],
        }
        for value, arms in groups.items()
    ]
    return {"name": name, "rows": rows}


def _conditions(results: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """One row a condition, the study's own first; arms that see no passages have one figure and stand in no row."""
    found = results["conditions"]
    arms = [name for name in results["arms"] if any(name in row for row in found.values())]
    rows = {"as in the study": results["arms"], **found} if found else {}
    return {
        "arms": arms,
        "rows": [
            {"name": name, "cells": [_cell(row[arm]["metrics"][metric]) for arm in arms]} for name, row in rows.items()
        ],
    }


def _audits(audit: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, found in audit["datasets"].items():
        yield f"training set {name}", found
    yield "test set", audit["test"]


def _train(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the split that is learned, or asked, where no other has rows."""
    splits = found.get("splits", {})
    shown: Mapping[str, Any] = splits.get("train") or next(iter(splits.values()), {})
    return shown


def _facts(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A nested mapping as lines of (dotted name, text); long lists by their length."""
    facts = list(_leaves("", value))
    if len(facts) > _AUDIT_LINES:
        facts[_AUDIT_LINES:] = [("\N{HORIZONTAL ELLIPSIS}", f"{len(facts) - _AUDIT_LINES} more, in the JSON file")]
    return facts


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and not (name and _fits_a_line(value)):
        for key, inner in value.items():
            if key == "histogram":  # it is drawn
                continue
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list) and not _fits_a_line(dict(enumerate(value))):
        yield name, f"{len(value):,} entries"
    else:
        yield name, _text(value)


def _fits_a_line(value: Mapping[Any, Any]) -> bool:
    return len(value) <= 8 and not any(isinstance(item, dict | list) for item in value.values())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)
