"""The table of retrieval quality."""

from collections.abc import Iterator, Mapping
from typing import TypedDict

from raft_exp.core.audit import RankFigures, RetrievalFigures
from raft_exp.reporting.formats import percent

_KINDS = {"gold": "questions with gold passages", "answers": "questions without gold passages (by answers)"}
_TITLES = {"recall": "recall", "answer_found": "answer found", "mrr": "MRR", "ndcg": "nDCG", "answer_mrr": "answer MRR"}


class RetrievalRow(TypedDict):
    """One row: the name of a figure, and its formatted value for each column."""

    name: str
    cells: list[str]


class RetrievalTable(TypedDict):
    """The table as the templates read it."""

    columns: list[str]
    rows: list[RetrievalRow]


def table(retrieval: Mapping[str, RetrievalFigures]) -> RetrievalTable:
    """Returns the table: one column for each test set with retrieved passages, one row for each figure.

    A test set with reranked passages has two columns: before and after reranking.
    """
    measured = [
        (f"{'as in the study' if name == 'test' else name} ({retriever}, k={figures['k']})", ranks)
        for name, figures in retrieval.items()
        for retriever, ranks in rankings(figures)
    ]
    columns = [dict(_cells(ranks)) for _, ranks in measured]
    rows = sorted({row for cells in columns for row in cells})
    return {
        "columns": [title for title, _ in measured],
        "rows": [{"name": row[-1], "cells": [cells.get(row, "\N{EN DASH}") for cells in columns]} for row in rows],
    }


def rankings(figures: RetrievalFigures) -> Iterator[tuple[str, RankFigures]]:
    """Yields (name, figures) for each ranking of a test set: the retriever's ranking, and the reranked one if any."""
    if "before_rerank" in figures:
        yield figures["retriever"], figures["before_rerank"]
        yield f"{figures['retriever']}, first {figures['reranked']} reranked", figures
    else:
        yield figures["retriever"], figures


def _cells(figures: RankFigures) -> Iterator[tuple[tuple[int, int, int, str], str]]:
    """Yields (row, text) of one column. A row is (group, order, k, label), by which the rows are sorted."""
    kinds = {"gold": figures.get("gold"), "answers": figures.get("answers")}
    for group, (kind, title) in enumerate(_KINDS.items()):
        for order, (name, value) in enumerate((kinds[kind] or {}).items()):
            if name == "questions":
                yield (group, order, 0, title), f"{value:,}"
            elif isinstance(value, Mapping):
                for place, share in value.items():
                    yield (group, order, int(place), f"{_TITLES[name]}@{place}"), percent(share)
            elif isinstance(value, float | int):
                yield (group, order, 0, _TITLES[name]), percent(value)
