"""Recall and precision of an arm's citations, and its rate of invented quotes.

The figures are shares of claims, of cited passages and of quotes. One reply can have several claims, passages and
quotes. Therefore intervals treat the reply as the sampling unit.
"""

from collections.abc import Iterable

from raft_exp.evaluation import statistics
from raft_exp.evaluation.results import CitationFigures, ClaimRow, CountedFigure, Prediction


def invented_quotes(rows: Iterable[Prediction]) -> CountedFigure | None:
    """Returns the share of quotes that are not verbatim (`results.Quote`); None if the replies have no quotes."""
    return share([(sum(not quote["verbatim"] for quote in row["quotes"]), len(row["quotes"])) for row in rows])


def citation_figures(replies: Iterable[Iterable[ClaimRow]]) -> CitationFigures:
    """Returns recall and precision over the claims of replies. A figure without cases is left out."""
    claims = [list(reply) for reply in replies]
    recall = share([(sum(claim["supported"] for claim in reply), len(reply)) for reply in claims])
    precision = share(
        [
            (sum(len(claim["supporting"]) for claim in reply), sum(len(claim["passages"]) for claim in reply))
            for reply in claims
        ]
    )
    return figures_of(recall, precision)


def figures_of(recall: CountedFigure | None, precision: CountedFigure | None) -> CitationFigures:
    """Returns the two figures as a dict, which leaves out a figure of None."""
    figures: CitationFigures = {}
    if recall:
        figures["recall"] = recall
    if precision:
        figures["precision"] = precision
    return figures


def share(parts: list[tuple[int, int]]) -> CountedFigure | None:
    """Returns the share of hits among all cases. `parts`: (hits, cases) of each reply. Returns None without cases."""
    cases = sum(number for _, number in parts)
    return {**statistics.clustered(parts).as_figure(), "n": cases} if cases else None
