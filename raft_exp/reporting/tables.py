"""Formats the results as tables of texts, for the templates of the HTML and the Markdown page."""

from collections.abc import Mapping, Sequence, Set
from typing import TypedDict, TypeVar

from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import (
    ArmResult,
    Baseline,
    Classes,
    Comparison,
    Figure,
    PairedDifference,
    Results,
    Summary,
)
from raft_exp.evaluation.scoring import REPLY_SHARES
from raft_exp.reporting import conditions, length, retrieval
from raft_exp.reporting.contrasts import in_words, pair_words
from raft_exp.reporting.facts import text
from raft_exp.reporting.formats import p_text, percent, points, slice_heading, slice_name, title
from raft_exp.reporting.timings import AnswerTimings, Timings
from raft_exp.reporting.verdict import INVENTED, distinguishable, has_invented_quotes, significant

T = TypeVar("T")
NONE = "\N{EN DASH}"
_BEHAVIOUR = {
    "quoting": "replies that quote",
    "quotes_verbatim": "quotes word for word",
    "quotes_gold": "quotes from gold",
    "quotes_distractor": "quotes from distractors",
    "supported": "answer in a quote",
    "abstained_without_gold": "abstained, no gold shown",
    "abstained_with_gold": "abstained, gold shown",
    "api_same_domain": "another API of the domain",
    "api_other_api": "an API of another domain",
    "api_invented": "no API of the documentation",
    "api_unparsed": "no call",
    "api_hallucination": "hallucination (authors' rule)",
}


class Cell(TypedDict):
    """A figure with its interval, formatted in percent."""

    value: str
    interval: str
    marked: bool  # significantly different from the reference arm


class Row(TypedDict):
    """A row of a table: an arm, baseline or condition with its figures."""

    name: str
    cells: list[Cell]


class DifferenceTexts(TypedDict):
    """A paired comparison, formatted: the difference and its interval in points, and the p-values."""

    points: str
    interval: str
    p_value: str
    p_value_holm: str
    marked: bool


def tables(results: Results, settings: Mapping[str, object], timings: Timings) -> dict[str, object]:
    """Returns the tables of the report, by the names of the templates' variables."""
    main, arms, classes = results["metrics"][0], results["arms"], results.get("classes", {})
    names = metrics(results)
    marked = significant(results["comparisons"])
    under_conditions = {
        f"{condition}: {name}": arm
        for condition, of_condition in results.get("conditions", {}).items()
        for name, arm in of_condition.items()
    }
    return {
        "metrics": _with_quotes(results, [title(metric) for metric in names], INVENTED),
        "rows": [_arm_row(name, names, marked, results) for name in arms],
        "baselines": [
            {**row, "cells": _with_quotes(results, row["cells"], cell(None))}
            for row in (
                _row(_baseline(name, arm), arm, names, missing="") for name, arm in results.get("baselines", {}).items()
            )
        ],
        "invented_quotes": has_invented_quotes(results),
        "without_model": without_model(results.get("baselines", {}), main),
        "detectable": bool(results.get("detectable")),
        "primary": results["primary"]["against"] if "primary" in results else None,
        "differs": [{"name": name, "what": in_words(what)} for name, what in results.get("contrasts", {}).items()],
        "pairs": [{"name": name, "what": what} for name, what in pair_words(results)],
        "differences": [_differences(metric, results) for metric in results["metrics"] if _compared(metric, results)],
        "replies": _replies(arms, timings),
        "behaviour": _behaviour(arms),
        "behaviour_under": _behaviour(under_conditions),
        "conditions": _conditions(results, settings, main),
        "retrieval": retrieval.table(results.get("retrieval", {})),
        "slices": [_slice(name, groups, main, reference_first(results)) for name, groups in results["slices"].items()],
        "slice_arms": reference_first(results),
        "classes": [_classes(name, classes[name]) for name in reference_first(results) if name in classes],
    }


def metrics(results: Results) -> list[str]:
    """Returns the metrics of the results table: the compared metrics with their lenient variants, then the others.

    The shares of parsed, truncated and empty replies are left out, because they have a table of their own.
    """
    present = dict.fromkeys(name for arm in results["arms"].values() for name in arm["metrics"])
    first = [name for metric in results["metrics"] for name in (metric, f"{metric}_lenient")]
    return [name for name in dict.fromkeys([*first, *present]) if name in present and name not in REPLY_SHARES]


def cell(figure: Figure | None, missing: str = "") -> Cell:
    """Formats a figure in percent with its interval. For None, the cell has a dash and the text `missing`."""
    if figure is None:
        return {"value": NONE, "interval": missing, "marked": False}
    has_interval = figure.get("low") is not None
    interval = f"{percent(figure['low'])}{NONE}{percent(figure['high'])}" if has_interval else ""
    return {"value": percent(figure["value"]), "interval": interval, "marked": False}


def _row(
    name: str,
    arm: Summary,
    names: Sequence[str],
    marked: Set[tuple[str, str]] = frozenset(),
    missing: str = "does not reason",
) -> Row:
    """Returns a row of figures. `missing`: the text of a cell without a figure, in metrics of reasoning."""
    cells: list[Cell] = [
        {**cell(arm["metrics"].get(m), missing if _of_reasons(m) else ""), "marked": (name, m) in marked} for m in names
    ]
    return {"name": name, "cells": cells}


def _arm_row(name: str, names: Sequence[str], marked: Set[tuple[str, str]], results: Results) -> Row:
    """Returns the row of an arm, with its share of invented quotes after the primary metric if any arm has one."""
    arm = results["arms"][name]
    row = _row(name, arm, names, marked)
    return {**row, "cells": _with_quotes(results, row["cells"], cell(arm.get("invented_quotes")))}


def _with_quotes(results: Results, cells: list[T], of_quotes: T) -> list[T]:
    """Returns the cells of a row with the cell of invented quotes after the first one, if any arm has this figure."""
    return [*cells[:1], of_quotes, *cells[1:]] if has_invented_quotes(results) else cells


def _figure(arms: Mapping[str, Summary], arm: str, metric: str) -> Figure | None:
    return arms[arm]["metrics"].get(metric) if arm in arms else None


def _of_reasons(metric: str) -> bool:
    """Whether an arm that does not reason may have no figure of the metric."""
    known = METRICS.get(metric)
    return known is not None and (known.of_quotes or (known.of_wording and known.observe is not None))


def _baseline(name: str, arm: Baseline) -> str:
    if "label" not in arm:
        return f"{name} (a label by chance)"
    return f"{name} (always \N{LEFT DOUBLE QUOTATION MARK}{arm['label']}\N{RIGHT DOUBLE QUOTATION MARK})"


def without_model(baselines: Mapping[str, Baseline], metric: str) -> str:
    """Returns the baselines in one line, for tables without baseline rows; "" for open answers."""
    scores = [
        f"{_baseline(name, arm)} {percent(arm['metrics'][metric]['value'])}"
        for name, arm in baselines.items()
        if metric in arm["metrics"]
    ]
    return f"Without a model, over all questions: {', '.join(scores)}." if scores else ""


def _compared(metric: str, results: Results) -> bool:
    return any(row["metric"] == metric for row in results["comparisons"])


def _differences(metric: str, results: Results) -> dict[str, object]:
    detectable = results.get("detectable", {}).get(metric, {})
    rows = [
        {
            **difference(row),
            "name": row["b"],
            "primary": _is_primary(row, results),
            "detectable": _points(detectable.get(row["b"])),
        }
        for row in results["comparisons"]
        if row["metric"] == metric
    ]
    return {"metric": title(metric), "rows": rows}


def _is_primary(row: Comparison, results: Results) -> bool:
    primary = results.get("primary")
    return primary is not None and (primary["metric"], primary["against"]) == (row["metric"], row["b"])


def difference(row: PairedDifference) -> DifferenceTexts:
    """Formats a paired comparison."""
    return {
        "points": points(row["difference"]),
        "interval": f"{points(row['low'])} to {points(row['high'])}",
        "p_value": p_text(row["p_value"]).removeprefix("p ").removeprefix("= "),
        "p_value_holm": p_text(row["p_value_holm"]).removeprefix("p ").removeprefix("= "),
        "marked": distinguishable(row),
    }


def _points(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


def _replies(arms: Mapping[str, ArmResult], timings: Timings) -> dict[str, object]:
    """Returns the table of the form and the cost of replies: one row for each arm."""
    columns = [title(name) for name in REPLY_SHARES]
    tokens = any("tokens" in arm for arm in arms.values())
    seconds = timings.get("arms", {})
    columns += ["prompt tokens", "reply tokens"] * tokens
    examples = any("examples" in arm for arm in arms.values())
    columns += ["worked examples"] * examples
    rows = []
    for name, arm in arms.items():
        shares = [arm["metrics"].get(share) for share in REPLY_SHARES]
        cells = [percent(share["value"]) if share else NONE for share in shares]
        if tokens:
            means = arm.get("tokens", {})
            known = bool(means.get("prompt"))  # 0 in results that were scored again from predictions
            cells += [f"{means[kind]:,.0f}" if known else NONE for kind in ("prompt", "reply")]
        if examples:
            cells.append(f"{arm['examples']['mean']:.1f}" if "examples" in arm else NONE)
        answered = f"{arm['answered']:,} of {arm['n']:,}"
        row = {"name": name, "answered": answered, "short": arm["answered"] < arm["n"], "cells": cells}
        rows.append({**row, "seconds": _seconds(seconds.get(name), arm["answered"])})
    return {"columns": columns, "rows": rows, "timed": bool(seconds)}


def _seconds(timing: AnswerTimings | None, answered: int) -> str:
    """Formats the seconds per answer. After an interruption only the answers since the last start are timed."""
    if not timing or timing.get("seconds_per_answer") is None:
        return NONE
    timed = timing.get("answers", answered)
    return f"{timing['seconds_per_answer']:.3g}" + (f" (of {timed:,})" if timed != answered else "")


def _behaviour(arms: Mapping[str, ArmResult]) -> dict[str, object]:
    """Returns the table of behaviours (e.g. quoting): one row for each arm, one column for each behaviour."""
    present = dict.fromkeys(name for arm in arms.values() for name in arm.get("behaviour", {}))
    names = [*(name for name in _BEHAVIOUR if name in present), *(name for name in present if name not in _BEHAVIOUR)]
    rows = []
    for name, arm in arms.items():
        figures = [arm.get("behaviour", {}).get(behaviour) for behaviour in names]
        cells = [{**cell(figure), "n": f"of {figure['n']:,}" if figure and "n" in figure else ""} for figure in figures]
        rows.append({"name": name, "cells": cells})
    return {"columns": [_BEHAVIOUR.get(name, title(name)) for name in names], "rows": rows if names else []}


def _slice(
    name: str, groups: Mapping[str, Mapping[str, Summary]], metric: str, names: Sequence[str]
) -> dict[str, object]:
    rows = [
        {
            "name": value,
            "n": f"{next(iter(arms.values()))['n']:,}",
            "cells": [cell(_figure(arms, arm, metric)) for arm in names],
        }
        for value, arms in groups.items()
    ]
    return {"heading": slice_heading(name), "name": slice_name(name), "rows": rows}


def reference_first(results: Results) -> list[str]:
    """Returns the arms, the reference arm first, because a narrow page shows only the first columns."""
    return sorted(results["arms"], key=lambda name: name != results["reference"])


def _conditions(results: Results, settings: Mapping[str, object], metric: str) -> dict[str, object]:
    """Returns the table of conditions: one row each, the study without a condition first.

    Arms without results under conditions, i.e. those without passages, are left out.
    """
    names = conditions.arms_of(results)
    order = conditions.ordered(results, settings)
    rows = conditions.figures(results, [conditions.STUDY, *order]) if order else {}
    changed, known = conditions.settings_of(results, settings), results.get("lengths", {})
    return {
        "arms": names,
        "lengths": bool(known),
        "rows": [
            {
                "name": name,
                "changed": ", ".join(f"{key} {text(value)}" for key, value in changed.get(name, {}).items()),
                "length": [f"{known[length.key(name)][figure]:,g}" for figure in length.FIGURES] if known else [],
                "cells": [cell(_figure(arms, arm, metric)) for arm in names],
            }
            for name, arms in rows.items()
        ],
    }


def _classes(arm: str, classes: Classes) -> dict[str, object]:
    """Returns the confusion matrix of an arm (rows: true labels), with precision, recall and F1 of each label."""
    confusion, labels = classes.get("confusion", {}), classes.get("labels", {})
    truths = [*dict.fromkeys([*labels, *confusion])]
    predicted = [*dict.fromkeys([*truths, *(name for row in confusion.values() for name in row)])]
    predicted = [name for name in predicted if name in truths or any(row.get(name) for row in confusion.values())]
    rows = []
    for truth in truths:
        scores = labels.get(truth)
        counts = [{"count": f"{confusion.get(truth, {}).get(name, 0):,}", "right": name == truth} for name in predicted]
        shares = [percent(scores[key]) if scores and key in scores else NONE for key in ("precision", "recall", "f1")]
        rows.append({"name": truth, "counts": counts, "shares": shares})
    return {"arm": arm, "predicted": predicted, "rows": rows}
