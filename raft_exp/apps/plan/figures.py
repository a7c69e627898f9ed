"""The figures of a plan. Each figure says whether it is counted, measured, assumed or estimated."""

from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict

# counted: from results of the store, from files, or from the settings; measured: from the seconds or the replies of
# finished results; assumed: a value that the user may set; estimated: computed with an assumption.
Basis = Literal["counted", "measured", "assumed", "estimated"]
Unit = Literal["questions", "GiB", "GB", "seconds", "requests", "tokens", "of the prices' currency"]


SpreadKind = Literal["discordance", "standard deviation"]  # the first for metrics of 0 and 1, the second for others


class Figure(TypedDict):
    """One figure. `source` names the results or the assumption from which it is computed."""

    what: str
    value: float | None  # None: unknown, and `source` says why
    unit: Unit
    basis: Basis
    source: str
    at_most: NotRequired[Literal[True]]  # an upper bound


class Spread(TypedDict):
    """A measure of how often, or how much, two arms differ on the same question."""

    kind: SpreadKind
    value: float
    basis: Basis
    source: str


class Claim(TypedDict):
    """A comparison of the report, and the smallest difference that its test finds with 80% power at the 5% level."""

    a: str
    b: str
    metric: str
    primary: bool
    test: str
    questions: int | None  # None: unknown before the questions are in the store
    spread: Spread
    detectable: float | None  # smallest difference, a fraction; None: no number of questions, or no difference
    needed: dict[str, int | None]  # difference in points -> questions; None: more than a million


class Plan(TypedDict):
    """The whole plan, in the form that `out=FILE.json` writes."""

    study: str
    model: str
    device: str
    questions: Figure
    claims: list[Claim]
    memory: list[Figure]
    hours: list[Figure]
    disk: list[Figure]
    teacher: list[Figure]
    warnings: list[str]  # reasons why the study cannot compare its arms well
    left_out: list[str]


@dataclass
class LeftOut:
    """Figures that cannot be computed: one line for each, with the reason and a remedy."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Adds a line, unless the same line was added before."""
        if line not in self.lines:
            self.lines.append(line)
