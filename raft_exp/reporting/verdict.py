"""The one sentence that answers the study's question, and how its figures are written."""

from collections.abc import Mapping
from typing import Any

LEVEL = 0.05


def distinguishable(comparison: Mapping[str, Any]) -> bool:
    """Whether a difference stands at 95% after the correction for several comparisons."""
    return bool(comparison["p_value_holm"] < LEVEL)


def verdict(results: Mapping[str, Any]) -> str:
    """Reference arm against the best other arm, on the corpus's first metric."""
    metric, reference = results["metrics"][0], results["reference"]
    compared = [found for found in results["comparisons"] if found["metric"] == metric]
    mine = _value(results, reference, metric)
    if not compared:
        return f"{reference} alone was run: {title(metric)} {percent(mine)}%, nothing to compare it with."
    best = max(compared, key=lambda found: _value(results, found["b"], metric))
    alike = sum(_value(results, found["b"], metric) == _value(results, best["b"], metric) for found in compared)
    return f"{_claim(best, ranked(alike))} {_figures(results, best, mine, len(compared))}{_unanswered(results)}"


def ranked(alike: int) -> str:
    """What the other arm is, of which as many have the same best figure."""
    return "the best other arm" if alike == 1 else f"one of {alike} best other arms"


def _claim(best: Mapping[str, Any], rank: str) -> str:
    a, b, metric = best["a"], best["b"], title(best["metric"])
    if not distinguishable(best):
        return f"{a} is not distinguishable from {b}, {rank}, in {metric}:"
    return f"{a} is {'better' if best['difference'] > 0 else 'worse'} than {b}, {rank}, in {metric}:"


def _figures(results: Mapping[str, Any], best: Mapping[str, Any], mine: float, number: int) -> str:
    theirs, n = _value(results, best["b"], best["metric"]), results["arms"][best["a"]]["n"]
    corrected = f" after Holm's correction for {number} comparisons" if number > 1 else ""
    return (
        f"{percent(mine)}% against {percent(theirs)}%, a difference of {points(best['difference'])} points "
        f"(95% interval {points(best['low'])} to {points(best['high'])}), "
        f"{p_text(best['p_value_holm'])}{corrected}, on {n:,} test question{'' if n == 1 else 's'}."
    )


def _unanswered(results: Mapping[str, Any]) -> str:
    short = [f"{name} {arm['answered']:,}" for name, arm in results["arms"].items() if arm["answered"] < arm["n"]]
    return f" Not all questions were answered (the others count as wrong): {', '.join(short)}." if short else ""


def _value(results: Mapping[str, Any], arm: str, metric: str) -> float:
    return float(results["arms"][arm]["metrics"][metric]["value"])


def title(metric: str) -> str:
    """A metric's name for readers."""
    named = metric.replace("_", " ").replace("f1", "F1").replace(" em", " EM").replace("rouge l", "ROUGE-L")
    return f"{named.removesuffix(' lenient')} (lenient)" if named.endswith(" lenient") else named


def percent(share: float) -> str:
    """A share of 1 in percent, without the sign."""
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def p_text(p_value: float) -> str:
    """A p-value to three places; smaller ones as a bound."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
