"""What a finished study shows in W&B: its tables, its pictures, its examples, and its figures as summary values."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raft_exp.reporting import conditions, csv_export
from raft_exp.reporting.examples import examples
from raft_exp.reporting.facts import audits, drawn, facts
from raft_exp.reporting.wandb.runs import start
from raft_exp.reporting.wandb.study import WandbStudy

EXAMPLES = 50  # rows of the table
_FIGURES = ("metric", "value", "low", "high", "n")

# A picture fills the panel that W&B shows it in, and is never larger.
_PANEL = (
    '<!doctype html><meta charset="utf-8"><title>plot</title>'
    "<style>body { margin: 0 } svg { display: block; width: 100%; max-height: 100vh }</style>"
)

Rows = Iterable[Mapping[str, Any]]


def log(study: WandbStudy, page: bool) -> None:
    """One run of job type `report`; with `page` a W&B Report of it as well."""
    folder = study.folder
    results, audit = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("results.json", "audit.json")
    )
    shown = {**dict(_tables(folder, results, audit)), **pictures(_plots(results, audit, study.settings))}
    run = start(study, "report", "report")
    run.log(shown)
    run.summary.update({**dict(_summary(results)), **dict(_audited(audit)), "verdict": results["verdict"]})
    run.finish()
    if page:
        from raft_exp.reporting.wandb.page import publish

        publish(run, study, lambda: _blocks(run, study, results, list(shown)))


def _blocks(run: Any, study: WandbStudy, results: Mapping[str, Any], logged: Sequence[str]) -> list[Any]:
    from raft_exp.reporting.wandb.blocks import of_study

    return of_study(run, study.folder, str(study.settings["note"]), results, logged)


def table(columns: Sequence[str], rows: Rows) -> Any:
    """A W&B table; a missing figure is an empty cell."""
    import wandb

    data = [[_cell(row.get(name)) for name in columns] for row in rows]
    # what was swept may be a number here and a word there
    return wandb.Table(columns=list(columns), data=data, allow_mixed_types=True)


def pictures(plots: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The report's own pictures (title, SVG), as media that keep their letters sharp."""
    import wandb

    from raft_exp.reporting.plots.drawing import standalone

    return {
        f"plots/{re.sub(r'[^a-z0-9]+', '_', title.lower()).strip('_')}": wandb.Html(
            f"{_PANEL}{standalone(svg)}",
            inject=False,
            data_is_not_path=True,
        )
        for title, svg in plots
        if svg
    }


def _cell(value: Any) -> Any:
    """Text of documents and models may hold half characters, which no server takes."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _tables(folder: Path, results: Mapping[str, Any], audit: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    rows = list(csv_export.result_rows(results))
    yield "results", table(("arm", "condition", *_FIGURES), (row for row in rows if "slice" not in row))
    yield "comparisons", table(csv_export.COMPARISONS, csv_export.comparison_rows(results))
    yield "examples", examples_table(folder, results)
    if sliced := [row for row in rows if "slice" in row]:
        yield "slices", table(("arm", "slice", "group", *_FIGURES), sliced)
    if found := list(_retrieval(results["retrieval"])):
        yield "retrieval", table(("questions", "retriever", "k", "figure", "value", "n"), found)
    told = [
        {"data": name, "figure": figure, "value": value}
        for name, figures in audits(audit)
        for figure, value in facts(figures)
    ]
    yield "audit", table(("data", "figure", "value"), told)


def examples_table(folder: Path, results: Mapping[str, Any]) -> Any:
    """A row a question: those on which the arms disagree stand first."""
    arms = list(results["arms"])
    test, predictions = folder / "dataset" / "test.jsonl", folder / "predictions"
    found = examples(test, predictions, arms, results["metrics"], results["reference"], EXAMPLES)
    items = sorted(found.get("items", []), key=lambda item: len({reply["right"] for reply in item["replies"]}) == 1)
    rows = []
    for item in items:
        row = {"id": item["id"], "question": item["question"], "answer": " | ".join(item["answers"])}
        for arm, reply in zip(arms, item["replies"], strict=True):
            row |= {arm: "".join(text for text, _ in reply["raw"]), f"{arm} right": reply["right"]}
        rows.append(row)
    return table(("id", "question", "answer", *(name for arm in arms for name in (arm, f"{arm} right"))), rows)


def _retrieval(found: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, told in found.items():
        for kind in ("gold", "answers"):
            figures = dict(told.get(kind, {}))
            place = {
                "questions": name,
                "retriever": told["retriever"],
                "k": told["k"],
                "n": figures.pop("questions", 0),
            }
            for figure, value in figures.items():
                for at, share in value.items() if isinstance(value, Mapping) else [("", value)]:
                    yield {**place, "figure": f"{figure}@{at}" if at else figure, "value": share}


def _plots(
    results: Mapping[str, Any], audit: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    from raft_exp.reporting.plots import arms, histograms

    yield "arms", arms.intervals(results)
    yield "differences", arms.differences(results)
    for plot in conditions.plots(results, settings):
        yield plot["title"], plot["svg"]
    for name, found in audits(audit):
        yield name, histograms.audit(drawn(found))


def _summary(results: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """`raft/f1`, and `raft@k8/f1` under a condition: what a chart over several jobs compares."""
    labelled = {f"{arm}@{name}": found for name, arms in results["conditions"].items() for arm, found in arms.items()}
    for label, found in {**results["arms"], **labelled}.items():
        for metric, figure in found["metrics"].items():
            yield f"{label}/{metric}", figure["value"]


def _audited(audit: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What the data sets hold, and what of the test stands in them; what a teacher wrote that could not be used."""
    for name, found in audit["datasets"].items():
        yield f"audit/{name}/share_with_gold", drawn(found).get("share_with_gold", 0.0)
        for split, counts in found.get("overlap", {}).items():
            yield from ((f"audit/{name}/overlap_{split}_{what}", count) for what, count in counts.items())
    for name in ("questions", "targets"):
        figures = audit.get(name, {}).items()
        yield from ((f"audit/{name}/{figure}", value) for figure, value in figures if isinstance(value, int | float))
