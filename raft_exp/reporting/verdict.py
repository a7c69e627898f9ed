"""The verdict of a study in one sentence, and the format of figures in texts."""

from collections.abc import Mapping, Sequence

from raft_exp.evaluation.results import Comparison, PairedDifference, Results, Summary

LEVEL = 0.05


def distinguishable(comparison: PairedDifference) -> bool:
    """Whether a difference is significant at the 5% level after Holm's correction."""
    return comparison["p_value_holm"] < LEVEL


def significant(comparisons: Sequence[Comparison]) -> set[tuple[str, str]]:
    """(arm, metric) of the arms that differ significantly from the reference arm."""
    return {(row["b"], row["metric"]) for row in comparisons if distinguishable(row)}


def verdict(results: Results) -> str:
    """The reference arm against the best other arm, in the main metric."""
    metric, reference = results["metrics"][0], results["reference"]
    comparisons = [row for row in results["comparisons"] if row["metric"] == metric]
    value = _value(results["arms"], reference, metric)
    if not comparisons:
        return f"{reference} alone was run: {title(metric)} {percent(value)}%, nothing to compare it with."
    others = {row["b"]: _value(results["arms"], row["b"], metric) for row in comparisons}
    best = max(comparisons, key=lambda row: others[row["b"]])
    ties = sum(other == others[best["b"]] for other in others.values())
    return f"{_claim(best, ranked(ties))} {_figures(results, best, len(comparisons))}{_unanswered(results)}"


def ranked(ties: int) -> str:
    """A phrase for the best other arm; `ties` arms have the same best figure."""
    return "the best other arm" if ties == 1 else f"one of {ties} best other arms"


def _claim(best: Comparison, rank: str) -> str:
    a, b, metric = best["a"], best["b"], title(best["metric"])
    if not distinguishable(best):
        return f"{a} is not distinguishable from {b}, {rank}, in {metric}:"
    return f"{a} is {'better' if best['difference'] > 0 else 'worse'} than {b}, {rank}, in {metric}:"


def _figures(results: Results, best: Comparison, number: int) -> str:
    left, right = (_value(results["arms"], arm, best["metric"]) for arm in (best["a"], best["b"]))
    n = results["arms"][best["a"]]["n"]
    corrected = f" after Holm's correction for {number} comparisons" if number > 1 else ""
    return (
        f"{percent(left)}% against {percent(right)}%, a difference of {points(best['difference'])} points "
        f"(95% interval {points(best['low'])} to {points(best['high'])}), "
        f"{p_text(best['p_value_holm'])}{corrected}, on {n:,} test question{'' if n == 1 else 's'}."
    )


def _unanswered(results: Results) -> str:
    short = [f"{name} {arm['answered']:,}" for name, arm in results["arms"].items() if arm["answered"] < arm["n"]]
    return f" Not all questions were answered (the others count as wrong): {', '.join(short)}." if short else ""


def _value(arms: Mapping[str, Summary], arm: str, metric: str) -> float:
    return arms[arm]["metrics"][metric]["value"]


def title(metric: str) -> str:
    """A metric's name for readers."""
    name = metric.replace("_", " ").replace("f1", "F1").replace(" em", " EM").replace("rouge l", "ROUGE-L")
    return f"{name.removesuffix(' lenient')} (lenient)" if name.endswith(" lenient") else name


def percent(share: float) -> str:
    """A share in percent to one decimal, without the sign."""
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def p_text(p_value: float) -> str:
    """A p-value to three decimals; smaller ones as a bound."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
