"""The effect of the trainings on other data: the questions of other corpora, and a text of general subjects."""

from collections.abc import Iterator
from typing import TypedDict

from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import Comparison, Results, TransferResult
from raft_exp.reporting.formats import figure_text, p_text, percent, points, title
from raft_exp.reporting.tables import DifferenceTexts, difference

HEADING = "What it cost elsewhere"


class CostRow(DifferenceTexts):
    """An arm's figure in one metric on another corpus, and the figure of the untrained arm with the same contexts."""

    metric: str
    arm: str
    figure: str
    against: str  # the untrained arm
    base: str  # its figure


class CorpusCost(TypedDict):
    """The figures on one other corpus, formatted."""

    heading: str
    rows: list[CostRow]
    forms: str  # the share of each arm's replies with the requested form, and of those that were cut off


class Shift(TypedDict):
    """KL(base || arm) and the losses on the general text in nats per token, formatted."""

    arm: str
    kl: str
    base_loss: str
    loss: str


class Cost(TypedDict):
    """The section of a report about other corpora (`corpora`) and the general text (`shifts`).

    A list is empty if the study did not measure its part.
    """

    corpora: list[CorpusCost]
    shifts: list[Shift]
    tokens: str  # of the general text


def cost(results: Results) -> Cost:
    """Returns the section of a report about other corpora and the general text, formatted."""
    measured = results.get("kl", {})
    shifts: list[Shift] = [
        {
            "arm": arm,
            "kl": f"{found['kl']:.3f}" if found["kl"] >= 0.001 or not found["kl"] else f"{found['kl']:.1e}",
            "base_loss": f"{found['base_loss']:.3f}",
            "loss": f"{found['loss']:.3f}",
        }
        for arm, found in measured.items()
    ]
    return {
        "corpora": [_corpus(name, result) for name, result in results.get("transfer", {}).items()],
        "shifts": shifts,
        "tokens": f"{next(iter(measured.values()))['tokens']:,}" if measured else "",
    }


def lines(results: Results) -> Iterator[str]:
    """Yields sentences for the terminal: one for each other corpus, and one for the KL figures."""
    for name, result in results.get("transfer", {}).items():
        metric = result["metrics"][0]
        found = [
            f"{row['a']} minus {row['b']} {points(row['difference'])} points ({points(row['low'])} to "
            f"{points(row['high'])}, {p_text(row['p_value_holm'])})"
            for row in result["comparisons"]
            if row["metric"] == metric
        ]
        yield f"Elsewhere, {title(metric)} on {result['n']:,} questions of {name}: {'; '.join(found)}."
    if shifts := cost(results)["shifts"]:
        each = ", ".join(f"{shift['arm']} {shift['kl']}" for shift in shifts)
        yield f"KL from the base model on general text, in nats per token: {each}."


def _corpus(name: str, result: TransferResult) -> CorpusCost:
    first = result["metrics"][0]
    shown = [metric for metric in (first, f"{first}_lenient") if metric in METRICS]
    rows = [_row(row, result) for metric in shown for row in result["comparisons"] if row["metric"] == metric]
    corpus = f" ({result['corpus']})" if result["corpus"] != name else ""
    forms = f"{_shares(result, 'parsed', 'in the requested form')} {_shares(result, 'truncated', 'that were cut off')}"
    return {"heading": f"{name}{corpus}: {result['n']:,} questions", "rows": rows, "forms": forms}


def _shares(result: TransferResult, share: str, words: str) -> str:
    each = [f"{name} {percent(arm['metrics'][share]['value'])}%" for name, arm in result["arms"].items()]
    return f"Replies {words}: {', '.join(each)}."


def _row(row: Comparison, result: TransferResult) -> CostRow:
    arm, base = (result["arms"][name]["metrics"][row["metric"]] for name in (row["a"], row["b"]))
    return {
        **difference(row),
        "metric": title(row["metric"]),
        "arm": row["a"],
        "figure": figure_text(arm),
        "against": row["b"],
        "base": percent(base["value"]),
    }
