"""The paper's figures beside those of the study, for data sets of the paper."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

from raft_exp.evaluation.results import Results
from raft_exp.reporting.facts import section
from raft_exp.reporting.formats import percent, title


class PublishedCorpus(TypedDict):
    """One data set of the paper, with the paper's figures."""

    name: str
    table: str
    figures: Mapping[str, float]  # arm -> percent
    questions: NotRequired[int]  # the official number of test questions
    metric: NotRequired[str]  # our metric that is shown beside the paper's
    p: NotRequired[float]  # the best share of training rows with gold (figure 5), in percent
    distractors: NotRequired[int]  # the best number of distractors in training (figure 6)


class Published(TypedDict):
    """The content of published.yaml."""

    source: str
    model: str
    caution: str
    arms: Mapping[str, str]  # arm -> its name in the paper
    corpora: Mapping[str, PublishedCorpus]


@cache
def paper() -> Published:
    """Returns the paper's figures."""
    import yaml

    figures: Published = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text(encoding="utf-8"))
    return figures


def key_of(corpus: str, settings: Mapping[str, object]) -> str:
    """Returns the key of a study's data set in published.yaml. `settings`: the study's settings, by groups."""
    hub = section(settings, "corpus").get("hub")
    return f"{corpus}/{hub}" if hub else corpus


def metric_of(published: PublishedCorpus, metrics: list[str]) -> str:
    """Returns our metric for the table: the `metric` of the data set, else the first of `metrics`."""
    own = published.get("metric")
    return own if own in metrics else metrics[0]


def notes(published: PublishedCorpus) -> Iterator[str]:
    """Yields what the paper's figures 5 and 6 show for a data set, a line for each figure."""
    if "p" in published:
        yield f"Figure 5: the best share of training rows with gold (p) is {published['p']:g}%."
    if "distractors" in published:
        yield (
            f"Figure 6: the best number of distractors in training (D) is {published['distractors']}, over 2 to 10 "
            "test passages."
        )


def table(results: Results, settings: Mapping[str, object]) -> dict[str, object]:
    """Returns the paper's table for the templates; {} for a data set that is not in the paper."""
    figures = paper()
    corpus = figures["corpora"].get(key_of(results["corpus"], settings))
    if corpus is None:
        return {}
    metric = metric_of(corpus, results["metrics"])
    return {
        **{key: figures[key] for key in ("source", "model", "caution")},
        **{key: corpus[key] for key in ("name", "table")},
        "notes": [*notes(corpus)],
        "metric": title(metric),
        "rows": [
            {
                "paper": figures["arms"][arm],
                "published": f"{number:.2f}",
                "arm": arm,
                "ours": _ours(results, arm, metric),
            }
            for arm, number in corpus["figures"].items()
        ],
    }


def _ours(results: Results, arm: str, metric: str) -> str:
    figure = results["arms"][arm]["metrics"].get(metric) if arm in results["arms"] else None
    return percent(figure["value"]) if figure else "\N{EN DASH}"
