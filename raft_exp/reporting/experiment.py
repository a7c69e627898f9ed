"""The tables of a published study in Markdown. Row and column names are those of results.json."""

from collections.abc import Mapping, Sequence

from raft_exp.evaluation.results import Summary
from raft_exp.reporting.comparison_results import ComparisonResults, SettingComparison, SettingResult
from raft_exp.reporting.comparison_special import special
from raft_exp.reporting.formats import figure_text, percent, title
from raft_exp.reporting.tables import difference


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def with_conditions(arms: Mapping[str, Summary], conditions: Mapping[str, Mapping[str, Summary]]) -> dict[str, Summary]:
    """Returns the entries of `arms`, then those of `conditions` with the keys `<arm>@<condition>`."""
    under = {f"{name}@{condition}": arm for condition, row in conditions.items() for name, arm in row.items()}
    return {**arms, **under}


def tables(results: ComparisonResults) -> list[str]:
    """Returns the Markdown lines of all tables of a study.

    The tables show the figures and differences in the main metric, the metrics of refusals and of false passages, and
    the figures by kind of question.
    """
    one = len(results["settings"]) == 1
    figures = _arms(results["settings"][0], results["metrics"][0]) if one else _settings(results)
    return [*figures, "", *_differences(results), "", *_special(results), *_slices(results)]


def _arms(entry: SettingResult, metric: str) -> list[str]:
    """Returns the table of a single setting. Rows: arms. Columns: the mean, then the figure of each seed."""
    seeds = list(entry["runs"])
    rows = []
    for label, arm in with_conditions(entry["arms"], entry["conditions"]).items():
        own = entry["seeds"][label].get(metric)
        of_seeds = [percent(own["values"][seed]) if own and seed in own["values"] else "" for seed in seeds]
        rows.append([f"`{label}`", figure_text(arm["metrics"].get(metric)), *of_seeds])
    return table(["arm", title(metric), *(f"seed {seed}" for seed in seeds)], rows)


def _settings(results: ComparisonResults) -> list[str]:
    """Returns the table of several settings. Rows: settings. Columns: arms."""
    of_settings = [
        (entry["name"], with_conditions(entry["arms"], entry["conditions"])) for entry in results["settings"]
    ]
    labels = list(dict.fromkeys(label for _, arms in of_settings for label in arms))
    metric = results["metrics"][0]
    rows = [
        [name, *(figure_text(arms[label]["metrics"].get(metric) if label in arms else None) for label in labels)]
        for name, arms in of_settings
    ]
    return table(["setting", *(f"`{label}`" for label in labels)], rows)


def _differences(results: ComparisonResults) -> list[str]:
    """Returns the table of paired differences; for a single setting also under conditions."""
    several, metric = len(results["settings"]) > 1, results["metrics"][0]
    rows = [_difference(row, "", several) for row in results["comparisons"] if row["metric"] == metric]
    for name, found in results["condition_comparisons"].items() if not several else ():
        rows += [_difference(row, f"@{name}", several) for row in found]
    return table(["the first minus the second", "difference", "95% interval", "p", "p (Holm)"], rows) if rows else []


def _difference(row: SettingComparison, under: str, several: bool) -> list[str]:
    pairs = ((row["arm_a"], row["a"]), (row["arm_b"], row["b"]))
    sides = (f"`{arm}{under}`" + (f" with {setting}" if several else "") for arm, setting in pairs)
    texts = difference(row)
    return [" minus ".join(sides), texts["points"], texts["interval"], texts["p_value"], texts["p_value_holm"]]


def _special(results: ComparisonResults) -> list[str]:
    """Returns two tables for each condition with metrics of refusals or false passages: figures and differences."""
    several, lines = len(results["settings"]) > 1, list[str]()
    for found in special(results):
        under = f"@{found['condition']}"
        rows = [
            [*([row["setting"]] if several else []), f"`{row['arm']}{under}`", *map(figure_text, row["figures"])]
            for row in found["rows"]
        ]
        lines += [*table([*(["setting"] if several else []), "arm", *map(title, found["metrics"])], rows), ""]
        compared = [
            [title(metric), *_difference(row, under, several)] for metric, of in found["differences"] for row in of
        ]
        head = ["metric", "the first minus the second", "difference", "95% interval", "p", "p (Holm)"]
        lines += [*table(head, compared), ""] if compared else []
    return lines


def _slices(results: ComparisonResults) -> list[str]:
    """Returns a table for each slice of a single setting. Rows: kinds of question. Columns: arms."""
    if len(results["settings"]) > 1:
        return []
    entry, metric, lines = results["settings"][0], results["metrics"][0], list[str]()
    for name, values in entry["slices"].items():
        rows = []
        for value, arms in values.items():
            cells = (figure_text(arm["metrics"].get(metric)) for arm in arms.values())
            rows.append([value, f"{next(iter(arms.values()))['n']}", *cells])
        lines += [*table([name, "n", *(f"`{arm}`" for arm in entry["arms"])], rows), ""]
    return lines
