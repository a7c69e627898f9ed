"""Checks the figures of an experiment's README.md against its results.json (experiments/README.md has the rules)."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raft_exp.reporting.formats import title
from raft_exp.reporting.verdict import invented_quotes, significant
from tests.helpers.figure_records import Record, records

NUMBER = r"[+\-−]?\d[\d,]*(?:\.\d+)?"
FIGURE = re.compile(rf"({NUMBER}) ?\(({NUMBER}) ?[-–] ?({NUMBER})\)")
DIFFERENCE = re.compile(
    rf"({NUMBER}) points \(95% interval ({NUMBER}) to ({NUMBER})\)(?:, p ([=<]) (0?\.\d+))?(?! after)"
)
INTERVAL = re.compile(rf"({NUMBER}) to ({NUMBER})")
ALLOWED = re.compile(r"<!-- not from results\.json: (.*?) -->", re.DOTALL)
DECIMAL = re.compile(r"(?<![\w.])[+\-−]?\d[\d,]*\.\d+(?![\w.]*\w)")
P_VALUE = re.compile(r"\bp(?: \(Holm\))? ?([=<]) ?(0?\.\d+)")
MARK = "\\*"  # behind a figure: the arm differs significantly from the reference arm
ROUND_OFF = 1e-9
SECOND_LABELS = ("arm", "the first minus the second")  # heads of a second column of labels


@dataclass
class Wanted:
    """What the labels of a row and a column name; None: nothing."""

    arm: str | None = None
    condition: str | None = None
    setting: str | None = None
    metric: str | None = None
    seed: str = ""
    part: str | None = None
    column: str = "value"
    sides: tuple[str, str] | None = None
    unknown: list[str] = field(default_factory=list)


def faults(readme: str, results: Mapping[str, Any]) -> list[str]:
    """A line for each figure of the README that does not stand in results.json."""
    known, found = records(results), list[str]()
    shown = set[str]()
    for table in _tables(readme):
        for cell, wanted, what in _cells(table, known):
            wrong = _cell_fault(cell, wanted, known, results)
            if wrong:
                found.append(f"{what}: {wrong}")
            shown.update(_plain(number) for number in re.findall(NUMBER, cell))
    return found + list(_prose_faults(_without_sentences_of(results, readme), shown, known))


def _without_sentences_of(results: Any, readme: str) -> str:
    """Returns the README without the sentences that `publish` writes from results.json: warnings, quotes, verdict."""
    quotes = [invented_quotes(results)] if "arms" in results else []  # else several settings
    for sentence in (*results.get("warnings", []), *quotes):
        readme = readme.replace(sentence, "")
    return readme


def _tables(readme: str) -> Iterator[list[list[str]]]:
    table: list[list[str]] = []
    for line in [*readme.splitlines(), ""]:
        if line.startswith("|"):
            table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
        elif table:
            yield table
            table = []


def _cells(table: list[list[str]], known: list[Record]) -> Iterator[tuple[str, Wanted, str]]:
    head, _, *rows = table
    slices = {record.part[0] for record in known}
    of_slice = _bare(head[0]) if _bare(head[0]) in slices else None
    for row in rows:
        if len(row) != len(head):
            yield "?", Wanted(unknown=[f"{len(row)} cells under {len(head)} heads"]), row[0]
        labels = 2 if head[1] in SECOND_LABELS else 1
        for name, cell in zip(head[labels:], row[labels:], strict=False):
            wanted = Wanted()
            for label in row[:labels]:
                _name(label, wanted, known, of_slice)
            _name(name, wanted, known, None)
            if re.search(r"\d", cell):
                yield cell, wanted, f"table row {' | '.join(row[:labels])!r}, column {name!r}"


def _bare(label: str, metrics: Container[str] = ()) -> str:
    """Returns a label without marks of code and bold, and without brackets at its end unless they name a metric."""
    plain = label.replace("`", "").replace("*", "").strip()
    return plain if plain == "p (Holm)" or plain.lower() in metrics else re.sub(r"\s*\([^()]*\)$", "", plain)


def _name(label: str, wanted: Wanted, known: list[Record], of_slice: str | None) -> None:
    """Notes what a label names."""
    metrics = {alias: record.metric for record in known for alias in (record.metric, title(record.metric).lower())}
    bare = _bare(label, metrics)
    arms = {arm for record in known for arm in record.arms}
    conditions = {arm.partition("@")[2] for arm in arms} - {""}
    settings = {name for record in known for names in record.settings for name in names}
    values = {record.part[1] for record in known if record.part[0] == of_slice} if of_slice else set()
    value = bare.rpartition("=")[2].strip()
    columns = {"difference": "difference", "95% interval": "interval", "p": "p", "p (Holm)": "p_holm", "n": "n"}
    if " minus " in bare:
        left, _, right = bare.partition(" minus ")
        wanted.sides = (left, right)
    elif bare in values:
        wanted.part = bare
    elif bare in columns:
        wanted.column = columns[bare]
    elif bare in arms:
        wanted.arm = bare
    elif bare in conditions or (f"k{value}" in conditions and bare.startswith("k=")):
        wanted.condition = bare if bare in conditions else f"k{value}"
    elif bare.lower() in metrics:
        wanted.metric = metrics[bare.lower()]
    elif seed := re.fullmatch(r"seed (\S+)", bare):
        wanted.seed = seed[1]
    elif bare in settings or value in settings:
        wanted.setting = bare if bare in settings else value
    else:
        wanted.unknown.append(label)


def _cell_fault(cell: str, wanted: Wanted, known: list[Record], results: Mapping[str, Any]) -> str:
    if wanted.unknown:
        return f"{', '.join(wanted.unknown)} names nothing in results.json"
    fitting = [record for record in known if _fits(record, wanted, results)]
    if not fitting:
        return "results.json has no such figure"
    figure = cell.removesuffix(MARK).rstrip()
    if figure != cell and not _is_marked(wanted, results):
        return f"{cell} has a mark, but results.json has no significant difference"
    if any(_shows(figure, record, wanted.column) for record in fitting):
        return ""
    return f"{cell} is not in results.json"


def _is_marked(wanted: Wanted, results: Mapping[str, Any]) -> bool:
    """Whether the named arm differs significantly from the reference arm, in the results of one run."""
    if "arms" not in results or wanted.condition or wanted.part or wanted.sides:
        return False
    return (wanted.arm, wanted.metric or results["metrics"][0]) in significant(results["comparisons"])


def _fits(record: Record, wanted: Wanted, results: Mapping[str, Any]) -> bool:
    if record.metric != (wanted.metric or results["metrics"][0]) or record.seed != wanted.seed:
        return False
    if record.part[1] != (wanted.part or ""):
        return False
    if wanted.sides:
        sides = zip(wanted.sides, record.arms, record.settings, strict=True) if len(record.arms) == 2 else ()
        return record.kind == "comparison" and all(_is_side(*side, wanted.setting) for side in sides)
    if record.kind == "comparison":
        return False
    arm, _, condition = record.arms[0].partition("@")
    wanted_arm, _, under = (wanted.arm or "").partition("@")
    return (
        (not wanted_arm or arm == wanted_arm)
        and condition == (wanted.condition or under)
        and (wanted.setting is None or wanted.setting in record.settings[0])
        and (bool(wanted_arm) or arm == results["reference"])
    )


def _is_side(side: str, arm: str, names: frozenset[str], of_row: str | None) -> bool:
    label, _, setting = side.partition(" with ")
    return label == arm and (setting or of_row or "as run") in names


def _shows(cell: str, record: Record, column: str) -> bool:
    """Whether a cell shows the numbers of a record, to its digits."""
    numbers = record.numbers
    if match := FIGURE.fullmatch(cell):
        return (
            record.kind == "figure" and column == "value" and _same(match.groups(), numbers, ("value", "low", "high"))
        )
    if match := INTERVAL.fullmatch(cell):
        return column == "interval" and _same(match.groups(), numbers, ("low", "high"))
    bare = cell.removesuffix("%").removesuffix("*").strip()
    if column in ("p", "p_holm"):
        small = numbers[column] < 0.001  # shown as a bound
        return small if bare == "< 0.001" else not small and _is_p(bare, numbers[column])
    if column == "n":
        return bare.replace(",", "") == f"{numbers['n']}"
    return column in numbers and bool(re.fullmatch(NUMBER, bare)) and _equal(bare, 100 * numbers[column])


def _same(shown: Iterable[str | None], numbers: Mapping[str, float], names: Iterable[str]) -> bool:
    pairs = zip(shown, names, strict=True)
    return all(name in numbers and number and _equal(number, 100 * numbers[name]) for number, name in pairs)


def _equal(shown: str, value: float) -> bool:
    plain = _plain(shown)
    digits = len(plain.partition(".")[2])
    return abs(float(plain) - value) <= 0.5 * 10**-digits + ROUND_OFF


def _plain(number: str) -> str:
    return number.replace("−", "-").replace("+", "").replace(",", "")


def _is_p(shown: str, value: float) -> bool:
    if shown.startswith("<"):
        return value < float(shown.removeprefix("<"))
    return _equal(shown, value) if re.fullmatch(NUMBER, shown) else False


def _prose_faults(readme: str, shown: set[str], known: list[Record]) -> Iterator[str]:
    """Figures, differences, p-values and other decimals in the text around tables and blocks of code."""
    prose = re.sub(r"```.*?```|<!--.*?-->|`[^`\n]*`", " ", readme, flags=re.DOTALL)
    prose = " ".join(line for line in prose.splitlines() if not line.startswith(("|", "#")))
    figures = [record for record in known if record.kind == "figure"]
    compared = [record for record in known if record.kind == "comparison"]
    named = _settings_and_allowed(readme, known)
    for match in DIFFERENCE.finditer(prose):
        if not any(_is_difference(match, record) for record in compared):
            yield f"text: {match[0]} is no comparison of results.json"
    prose = DIFFERENCE.sub(" ", prose)
    for match in FIGURE.finditer(prose):
        if "." in match[0] and not any(_is_figure(match, record) for record in figures):
            yield f"text: {match[0]} is no figure of results.json"
    prose = FIGURE.sub(" ", prose)
    for match in P_VALUE.finditer(prose):
        shown_p = f"<{match[2]}" if match[1] == "<" else match[2]
        some = any(_is_p(shown_p, record.numbers[name]) for record in compared for name in ("p", "p_holm"))
        if not some and _plain(match[2]) not in named:
            yield f"text: {match[0]} is no p-value of results.json"
    for match in DECIMAL.finditer(P_VALUE.sub(" ", prose)):
        if _unsigned(match[0]) not in {_unsigned(number) for number in shown | named}:
            yield f"text: {match[0]} stands in no table of this README, and not among its settings"


def _settings_and_allowed(readme: str, known: list[Record]) -> set[str]:
    """The numbers of the commands, of the settings' names, and those that the README says to be of another source."""
    words = [*re.findall(r"```.*?```", readme, re.DOTALL), *ALLOWED.findall(readme)]
    words += [name for record in known for names in record.settings for name in names]
    return {_plain(number) for found in words for number in re.findall(NUMBER, found)}


def _is_figure(match: re.Match[str], record: Record) -> bool:
    return _same(match.groups(), record.numbers, ("value", "low", "high"))


def _unsigned(number: str) -> str:
    return _plain(number).lstrip("-")


def _is_difference(match: re.Match[str], record: Record) -> bool:
    if not _same(match.groups()[:3], record.numbers, ("difference", "low", "high")):
        return False
    value = f"<{match[5]}" if match[4] == "<" else match[5]
    return match[5] is None or _is_p(value, record.numbers["p"]) or _is_p(value, record.numbers["p_holm"])
