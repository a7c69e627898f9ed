"""The paper's figures beside those of the study, for data sets of the paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypedDict

from raft_exp.evaluation.results import Results
from raft_exp.reporting.formats import percent


class PublishedCorpus(TypedDict):
    """One data set of the paper, with the paper's figures."""

    name: str
    table: str
    notes: list[str]
    figures: Mapping[str, float]  # arm -> percent


class Published(TypedDict):
    """The content of published.yaml."""

    source: str
    model: str
    caution: str
    arms: Mapping[str, str]  # arm -> its name in the paper
    corpora: Mapping[str, PublishedCorpus]


@cache
def _paper() -> Published:
    import yaml

    paper: Published = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text(encoding="utf-8"))
    return paper


def table(results: Results) -> dict[str, object]:
    """Returns the paper's table for the templates; {} for a corpus that is not in the paper."""
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


def _ours(results: Results, arm: str, metric: str) -> str:
    figure = results["arms"][arm]["metrics"].get(metric) if arm in results["arms"] else None
    return percent(figure["value"]) if figure else "\N{EN DASH}"
