"""Renders the rows of a training or test set, and writes them with their audit."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from raft_exp.core.progress import track
from raft_exp.core.records import Question, write_jsonl
from raft_exp.core.sampling import HashSample
from raft_exp.dataset import rows
from raft_exp.dataset.audit import Audit
from raft_exp.dataset.recipes import QuestionTargets
from raft_exp.dataset.rows import RenderedRow, RowFormat, RowSpec

VERSION = 4  # of the stages that write training and test sets

Watch = Callable[[Iterable[RenderedRow]], Iterable[RenderedRow]]  # returns the rows; may count rows or leave rows out


def sampled(source: QuestionTargets, split: str, sample: HashSample) -> Iterator[Question]:
    """Yields the questions of the sample, in the order of the rows."""
    return (question for question in source.of(split) if question.id in sample)


def write_rows(
    row_format: RowFormat,
    passages: Path,
    specs: Iterable[RowSpec],
    total: int,
    workers: int,
    out: Path,
    watch: Watch = iter,
    **more: object,
) -> None:
    """Renders the rows one by one, and writes rows.jsonl, audit.json and counts.json into `out`.

    `total`: the expected number of rows, for the progress bar. `workers`: the number of processes (0 or 1: only this
    one). `watch`: a function that returns the rows, and may count rows or leave rows out. `more`: further entries of
    audit.json. A value of `more` that is a function is called without arguments after all rows are counted.
    """
    audit = Audit()
    rendered = audit.watch(watch(rows.render_rows(row_format, passages, specs, workers)))
    write_jsonl(out / "rows.jsonl", (row.example for row in track(rendered, "writing rows", total)))
    more = {name: value() if callable(value) else value for name, value in more.items()}
    figures: dict[str, Any] = {"splits": audit.figures(), **more, "max_length": row_format.window.max_length}
    (out / "audit.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    counts = {"rows": audit.rows, "with_gold": audit.with_gold}
    if fewer := sum(figures.get("fewer_distractors", {}).values()):
        counts["with_fewer_distractors"] = fewer  # the terminal shows it beside the stage
    (out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
