"""Logs a finished study to W&B: tables, plots, examples, and figures as summary values."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core.audit import OVERLAP_COUNTS, RetrievalFigures, StudyAudit
from raft_exp.evaluation.results import Results, Summary
from raft_exp.reporting import conditions, csv_export, length
from raft_exp.reporting.examples import examples
from raft_exp.reporting.facts import audit_sections, facts, main_split
from raft_exp.reporting.retrieval import rankings
from raft_exp.reporting.wandb.runs import WandbRun, start
from raft_exp.reporting.wandb.study import WandbStudy

if TYPE_CHECKING:
    from wandb import Table

EXAMPLES = 50  # rows of the table
_FIGURES = ("metric", "value", "low", "high", "n")

# A plot has the size of its panel in W&B.
_PANEL = (
    '<!doctype html><meta charset="utf-8"><title>plot</title>'
    "<style>body { margin: 0 } svg { display: block; width: 100%; max-height: 100vh }</style>"
)

Rows = Iterable[Mapping[str, object]]


def log(study: WandbStudy, page: bool) -> None:
    """Logs a study as one W&B run of job type `report`. `page`: whether to save a W&B Report of the study too."""
    folder = study.folder
    results: Results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    audit: StudyAudit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    shown = {**dict(_tables(folder, results, audit)), **pictures(_plots(results, audit, study.settings))}
    run = start(study, "report", "report")
    run.log(shown)
    run.summary.update({**dict(_summary(results)), **dict(_audited(audit)), "verdict": results["verdict"]})
    run.finish()
    if page:
        from raft_exp.reporting.wandb.page import publish

        publish(run, study, lambda: _blocks(run, study, results, list(shown)))


def _blocks(run: WandbRun, study: WandbStudy, results: Results, logged: Sequence[str]) -> list[object]:
    from raft_exp.reporting.wandb.blocks import of_study

    return of_study(run, study.folder, str(study.settings["note"]), results, logged)


def table(columns: Sequence[str], rows: Rows) -> "Table":
    """Returns a W&B table; a missing figure is an empty cell."""
    import wandb

    data = [[_cell(row.get(name)) for name in columns] for row in rows]
    # a swept setting may be a number in one job and a word in another
    return wandb.Table(columns=list(columns), data=data, allow_mixed_types=True)


def pictures(plots: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Returns the report's plots (title, SVG) as HTML media, so that they stay vector graphics."""
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


def _cell(value: object) -> object:
    """Replaces lone surrogates in a text, because the W&B server rejects them."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _tables(folder: Path, results: Results, audit: StudyAudit) -> Iterator[tuple[str, object]]:
    rows = list(csv_export.result_rows(results))
    yield "results", table(("arm", "condition", *_FIGURES), (row for row in rows if "slice" not in row))
    yield "comparisons", table(csv_export.COMPARISONS, csv_export.comparison_rows(results))
    yield "examples", examples_table(folder, results)
    if sliced := [row for row in rows if "slice" in row]:
        yield "slices", table(("arm", "slice", "group", *_FIGURES), sliced)
    if retrieval := list(_retrieval(results["retrieval"])):
        yield "retrieval", table(("questions", "retriever", "k", "figure", "value", "n"), retrieval)
    audited = [
        {"data": section.heading, "figure": figure, "value": value}
        for section in audit_sections(audit)
        for figure, value in facts(section.figures)
    ]
    yield "audit", table(("data", "figure", "value"), audited)


def examples_table(folder: Path, results: Results) -> "Table":
    """Returns a table of at most 50 test questions. Questions on which the arms disagree come first."""
    arms = list(results["arms"])
    test, predictions = folder / "dataset" / "test.jsonl", folder / "predictions"
    shown = examples(test, predictions, arms, results["metrics"], results["reference"], EXAMPLES)
    items = shown["items"] if shown else []
    rows = []
    for item in items:
        row: dict[str, object] = {"id": item["id"], "question": item["question"], "answer": " | ".join(item["answers"])}
        for arm, reply in zip(arms, item["replies"], strict=True):
            row |= {arm: "".join(text for text, _ in reply["raw"]), f"{arm} right": reply["right"]}
        rows.append(row)
    return table(("id", "question", "answer", *(name for arm in arms for name in (arm, f"{arm} right"))), rows)


def _retrieval(test_sets: Mapping[str, RetrievalFigures]) -> Iterator[dict[str, object]]:
    measured = [(name, one, ranks) for name, one in test_sets.items() for ranks in rankings(one)]
    for name, retrieval, (retriever, of_ranking) in measured:
        for ranks in (of_ranking.get("gold"), of_ranking.get("answers")):
            if ranks is None:
                continue
            figures: dict[str, object] = {**ranks}
            place = {"questions": name, "retriever": retriever, "k": retrieval["k"], "n": figures.pop("questions", 0)}
            for figure, value in figures.items():
                for at, share in value.items() if isinstance(value, Mapping) else [("", value)]:
                    yield {**place, "figure": f"{figure}@{at}" if at else figure, "value": share}


def _plots(results: Results, audit: StudyAudit, settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    from raft_exp.reporting.plots import arms, histograms

    yield "arms", arms.intervals(results)
    yield "differences", arms.differences(results)
    for plot in conditions.plots(results, settings):
        yield plot["title"], plot["svg"]
    yield "By the length of the prompt", length.plot(results, settings)
    for section in audit_sections(audit):
        yield section.heading, histograms.audit(section.split)


def _summary(results: Results) -> Iterator[tuple[str, float]]:
    """Yields (name, value) for all arms.

    Names are like `raft/f1`, `raft@k8/f1` under a condition, and `raft@transfer@pubmedqa/f1` on another corpus.
    """
    under_conditions = {
        f"{name}@{condition}": arm for condition, arms in results["conditions"].items() for name, arm in arms.items()
    }
    others = results.get("transfer", {}).items()
    elsewhere = {f"{name}@transfer@{corpus}": arm for corpus, found in others for name, arm in found["arms"].items()}
    summaries: dict[str, Summary] = {**results["arms"], **under_conditions, **elsewhere}
    for label, arm in summaries.items():
        for metric, figure in arm["metrics"].items():
            yield f"{label}/{metric}", figure["value"]
    for name, moved in results.get("kl", {}).items():
        yield f"{name}/kl", moved["kl"]


def _audited(audit: StudyAudit) -> Iterator[tuple[str, float]]:
    """Yields (name, value): shares of rows with gold, overlaps with held-out questions, counts of teacher replies."""
    for name, dataset in audit["datasets"].items():
        split = main_split(dataset)
        yield f"audit/{name}/share_with_gold", split.get("share_with_gold", 0.0) if split else 0.0
        for split_name, counts in dataset.get("overlap", {}).items():
            for what in OVERLAP_COUNTS:
                if what in counts:
                    yield f"audit/{name}/overlap_{split_name}_{what}", counts[what]
    for figure, value in audit.get("targets", {}).items():
        if isinstance(value, int | float):
            yield f"audit/targets/{figure}", value
