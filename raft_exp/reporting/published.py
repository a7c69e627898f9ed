"""The paper's figures beside ours, where the data set is in the paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from raft_exp.reporting.verdict import percent


@cache
def _paper() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text(encoding="utf-8"))
    return found


def table(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the pages show of it; {} for a corpus that the paper has not."""
    paper = _paper()
    corpus = paper["corpora"].get(results["corpus"])
    if corpus is None:
        return {}
    metric = results["metrics"][0]
    return {
        **{key: paper[key] for key in ("source", "model", "caution")},
        **{key: corpus[key] for key in ("name", "table", "notes")},
        "rows": [
            {"paper": paper["arms"][arm], "published": f"{figure:.2f}", "arm": arm, "ours": _ours(results, arm, metric)}
            for arm, figure in corpus["figures"].items()
        ],
    }


def _ours(results: Mapping[str, Any], arm: str, metric: str) -> str:
    found = results["arms"].get(arm, {}).get("metrics", {}).get(metric)
    return percent(found["value"]) if found else "\N{EN DASH}"
