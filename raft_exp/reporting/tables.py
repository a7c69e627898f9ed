"""The results as tables of texts, which the page and the Markdown lay out."""

from collections.abc import Mapping, Sequence
from typing import Any

from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.scoring import REPLY_SHARES
from raft_exp.reporting import conditions, retrieval
from raft_exp.reporting.facts import text
from raft_exp.reporting.verdict import distinguishable, p_text, percent, points, title

NONE = "\N{EN DASH}"
_BEHAVIOUR = {
    "quoting": "replies that quote",
    "quotes_verbatim": "quotes word for word",
    "quotes_gold": "quotes from gold",
    "quotes_distractor": "quotes from distractors",
    "supported": "answer stands in a quote",
    "abstained_without_gold": "abstained, no gold shown",
    "abstained_with_gold": "abstained, gold shown",
}
_SLICES = {"answer": "answer, in training", "document": "gold document, in training"}


def tables(results: Mapping[str, Any], settings: Mapping[str, Any], timings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that stands in a table, by the name that the templates know it under."""
    first, arms = results["metrics"][0], results["arms"]
    names = metrics(results)
    marked = {(found["b"], found["metric"]) for found in results["comparisons"] if distinguishable(found)}
    return {
        "metrics": [title(metric) for metric in names],
        "rows": [_row(name, arm, names, marked) for name, arm in arms.items()],
        "baselines": [_row(_baseline(name, arm), arm, names) for name, arm in results.get("baselines", {}).items()],
        "without_model": without_model(results, first),
        "detectable": bool(results.get("detectable")),
        "differences": [_differences(metric, results) for metric in results["metrics"] if _compared(metric, results)],
        "replies": _replies(arms, timings),
        "behaviour": _behaviour(arms),
        "behaviour_under": _behaviour(
            {f"{name}: {arm}": one for name, row in results.get("conditions", {}).items() for arm, one in row.items()}
        ),
        "conditions": _conditions(results, settings, first),
        "retrieval": retrieval.table(results.get("retrieval", {})),
        "slices": [_slice(name, groups, first, list(arms)) for name, groups in results["slices"].items()],
        "classes": [_classes(name, found) for name, found in results.get("classes", {}).items()],
    }


def metrics(results: Mapping[str, Any]) -> list[str]:
    """The metrics of the results table: those compared, each followed by its lenient reading, then any others."""
    seen = dict.fromkeys(name for arm in results["arms"].values() for name in arm["metrics"])
    known = [name for metric in results["metrics"] for name in (metric, f"{metric}_lenient")]
    return [name for name in dict.fromkeys([*known, *seen]) if name in seen and name not in REPLY_SHARES]


def cell(found: Mapping[str, float] | None, missing: str = "") -> dict[str, Any]:
    """A figure in percent with its interval."""
    if found is None:
        return {"value": NONE, "interval": missing, "marked": False}
    known = found.get("low") is not None
    interval = f"{percent(found['low'])}{NONE}{percent(found['high'])}" if known else ""
    return {"value": percent(found["value"]), "interval": interval, "marked": False}


def _row(
    name: str, arm: Mapping[str, Any], names: Sequence[str], marked: set[tuple[str, str]] | frozenset[Any] = frozenset()
) -> dict[str, Any]:
    cells = [
        {**cell(arm["metrics"].get(m), "does not reason" if _of_quotes(m) else ""), "marked": (name, m) in marked}
        for m in names
    ]
    return {"name": name, "cells": cells}


def _of_quotes(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].of_quotes


def _baseline(name: str, arm: Mapping[str, Any]) -> str:
    if "label" not in arm:
        return f"{name} (a label by chance)"
    return f"{name} (always \N{LEFT DOUBLE QUOTATION MARK}{arm['label']}\N{RIGHT DOUBLE QUOTATION MARK})"


def without_model(results: Mapping[str, Any], metric: str) -> str:
    """The baselines in one line, for tables that have no rows for them; "" for open answers."""
    found = [
        f"{_baseline(name, arm)} {percent(arm['metrics'][metric]['value'])}"
        for name, arm in results.get("baselines", {}).items()
        if metric in arm["metrics"]
    ]
    return f"Without a model, over all questions: {', '.join(found)}." if found else ""


def _compared(metric: str, results: Mapping[str, Any]) -> bool:
    return any(found["metric"] == metric for found in results["comparisons"])


def _differences(metric: str, results: Mapping[str, Any]) -> dict[str, Any]:
    detectable = results.get("detectable", {}).get(metric, {})
    rows = [
        {**difference(found), "name": found["b"], "detectable": _points(detectable.get(found["b"]))}
        for found in results["comparisons"]
        if found["metric"] == metric
    ]
    return {"metric": title(metric), "rows": rows}


def difference(found: Mapping[str, Any]) -> dict[str, Any]:
    """A paired comparison as texts."""
    return {
        "points": points(found["difference"]),
        "interval": f"{points(found['low'])} to {points(found['high'])}",
        "p_value": p_text(found["p_value"]).removeprefix("p ").removeprefix("= "),
        "p_value_holm": p_text(found["p_value_holm"]).removeprefix("p ").removeprefix("= "),
        "marked": distinguishable(found),
    }


def _points(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


def _replies(arms: Mapping[str, Any], timings: Mapping[str, Any]) -> dict[str, Any]:
    columns = [title(name) for name in REPLY_SHARES]
    tokens = any("tokens" in arm for arm in arms.values())
    seconds = timings.get("arms", {})
    columns += ["prompt tokens", "reply tokens"] * tokens
    rows = []
    for name, arm in arms.items():
        shares = [arm["metrics"].get(share) for share in REPLY_SHARES]
        cells = [percent(share["value"]) if share else NONE for share in shares]
        if tokens:
            counted = arm.get("tokens") if arm.get("tokens", {}).get("prompt") else None  # 0: made from predictions
            cells += [f"{counted[kind]:,.0f}" if counted else NONE for kind in ("prompt", "reply")]
        answered = f"{arm['answered']:,} of {arm['n']:,}"
        row = {"name": name, "answered": answered, "short": arm["answered"] < arm["n"], "cells": cells}
        rows.append({**row, "seconds": _seconds(seconds.get(name), arm["answered"])})
    return {"columns": columns, "rows": rows, "timed": bool(seconds)}


def _seconds(found: Mapping[str, Any] | None, answered: int) -> str:
    """An evaluation that went on after a stop has timed its last part alone."""
    if not found or found.get("seconds_per_answer") is None:
        return NONE
    timed = found.get("answers", answered)
    return f"{found['seconds_per_answer']:.3g}" + (f" (of {timed:,})" if timed != answered else "")


def _behaviour(arms: Mapping[str, Any]) -> dict[str, Any]:
    """What the replies do: one column a behaviour that any arm has, each share with what it is a share of."""
    seen = dict.fromkeys(name for arm in arms.values() for name in arm.get("behaviour", {}))
    names = [*(name for name in _BEHAVIOUR if name in seen), *(name for name in seen if name not in _BEHAVIOUR)]
    rows = []
    for name, arm in arms.items():
        found = [arm.get("behaviour", {}).get(one) for one in names]
        cells = [{**cell(one), "n": f"of {one['n']:,}" if one and "n" in one else ""} for one in found]
        rows.append({"name": name, "cells": cells})
    return {"columns": [_BEHAVIOUR.get(name, title(name)) for name in names], "rows": rows if names else []}


def _slice(name: str, groups: Mapping[str, Any], metric: str, names: list[str]) -> dict[str, Any]:
    rows = [
        {
            "name": value,
            "n": f"{next(iter(arms.values()))['n']:,}",
            "cells": [cell(arms.get(arm, {}).get("metrics", {}).get(metric)) for arm in names],
        }
        for value, arms in groups.items()
    ]
    return {"name": _SLICES.get(name, name.replace("_", " ")), "rows": rows}


def _conditions(results: Mapping[str, Any], settings: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """One row a condition, the study's own first; arms that see no passages have one figure and stand in no row."""
    names = conditions.arms_of(results)
    order = conditions.ordered(results, settings)
    rows = conditions.figures(results, [conditions.STUDY, *order]) if order else {}
    changed = conditions.settings_of(results, settings)
    return {
        "arms": names,
        "rows": [
            {
                "name": name,
                "changed": ", ".join(f"{key} {text(value)}" for key, value in changed.get(name, {}).items()),
                "cells": [cell(row.get(arm, {}).get("metrics", {}).get(metric)) for arm in names],
            }
            for name, row in rows.items()
        ],
    }


def _classes(arm: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The confusion matrix of an arm (rows: the true label) with each label's precision, recall and F1."""
    confusion, labels = found.get("confusion", {}), found.get("labels", {})
    truths = [*dict.fromkeys([*labels, *confusion])]
    predicted = [*dict.fromkeys([*truths, *(name for row in confusion.values() for name in row)])]
    predicted = [name for name in predicted if name in truths or any(row.get(name) for row in confusion.values())]
    rows = []
    for truth in truths:
        scores = labels.get(truth, {})
        counts = [{"count": f"{confusion.get(truth, {}).get(name, 0):,}", "right": name == truth} for name in predicted]
        shares = [percent(scores[key]) if key in scores else NONE for key in ("precision", "recall", "f1")]
        rows.append({"name": truth, "counts": counts, "shares": shares})
    return {"arm": arm, "predicted": predicted, "rows": rows}
