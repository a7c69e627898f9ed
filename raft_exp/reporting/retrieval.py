"""The table of how good the retriever is."""

from collections.abc import Iterator, Mapping
from typing import Any

from raft_exp.reporting.verdict import percent

_KINDS = {"gold": "questions with gold passages", "answers": "questions without, by their answers"}
_TITLES = {"recall": "recall", "answer_found": "answer found", "mrr": "MRR", "ndcg": "nDCG", "answer_mrr": "answer MRR"}


def table(retrieval: Mapping[str, Any]) -> dict[str, Any]:
    """One column a test set that was retrieved, one row a figure; no rows where nothing was retrieved."""
    columns = [dict(_cells(found)) for found in retrieval.values()]
    rows = sorted({row for cells in columns for row in cells})
    return {
        "columns": [_title(name, found) for name, found in retrieval.items()],
        "rows": [{"name": row[-1], "cells": [cells.get(row, "\N{EN DASH}") for cells in columns]} for row in rows],
    }


def _title(name: str, found: Mapping[str, Any]) -> str:
    return f"{'as in the study' if name == 'test' else name} ({found['retriever']}, k={found['k']})"


def _cells(found: Mapping[str, Any]) -> Iterator[tuple[tuple[int, int, int, str], str]]:
    """The texts of a column; a row's place in the table stands before its name."""
    for kind, (group, title) in zip(_KINDS, enumerate(_KINDS.values()), strict=True):
        figures = found.get(kind, {})
        for order, (name, value) in enumerate(figures.items()):
            if name == "questions":
                yield (group, order, 0, title), f"{value:,}"
            elif isinstance(value, Mapping):
                for place, share in value.items():
                    yield (group, order, int(place), f"{_TITLES[name]}@{place}"), percent(share)
            else:
                yield (group, order, 0, _TITLES[name]), percent(value)
