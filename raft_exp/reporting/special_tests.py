"""The results of two special kinds of test: contexts without gold, and contexts with a false passage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from raft_exp.core.audit import DatasetAudit
from raft_exp.evaluation import scoring
from raft_exp.evaluation.metrics import FOLLOWS, METRICS, Profile
from raft_exp.evaluation.results import Abstention, Conflict, Prediction, Results, Summary
from raft_exp.evaluation.scoring.refusals import GradedTest, abstention, figures, paired

TEST = "test"  # the study's own test, among the names of conditions

Save = Callable[[str, Sequence[Prediction]], None]  # label, rows: writes the predictions file again


def label(arm: str, test: str) -> str:
    """Returns the name of an arm's predictions on a test: `<arm>`, or `<arm>@<condition>`."""
    return arm if test == TEST else f"{arm}@{test}"


@dataclass(frozen=True)
class SpecialTests:
    """Computes the entries `abstention` and `conflict` of results.json from the graded replies."""

    graded: Mapping[str, GradedTest]  # by label
    profile: Profile
    seed: int
    gold_unknown: frozenset[str]  # ids of questions for which the data set names no gold passages

    @property
    def right(self) -> str:
        """The metric that says whether an answer is right: the first metric of answers whose values are 0 or 1."""
        shares = (name for name in self.profile.metrics if METRICS[name].share and not METRICS[name].of_quotes)
        return next(name for name in shares if name != FOLLOWS)

    def abstention(self, results: Results, pairs: Mapping[str, str], save: Save) -> dict[str, Abstention]:
        """Returns {condition: entry of `abstention`} for the conditions without gold that have a test with gold.

        `pairs`: condition -> its test with gold; "" if it has no such test. The function also adds the metrics of
        refusals to the arms' figures in `results`, and the outcomes to the rows of predictions, which `save` writes.
        """
        found: dict[str, Abstention] = {}
        for condition, with_gold in pairs.items():
            if not with_gold:
                continue
            arms = {}
            for arm, under in results["conditions"][condition].items():
                without = self.graded[label(arm, condition)]
                arms[arm] = paired(self.graded[label(arm, with_gold)], without, self.right, self.gold_unknown)
                under["metrics"] |= figures(arms[arm], self.seed)
                for row in without.arm.rows:
                    if pair := arms[arm].get(row["id"]):
                        row["outcomes"] = [[value for value in outcome if value is not None] for outcome in pair]
                save(label(arm, condition), without.arm.rows)
            found[condition] = abstention(arms, results["reference"], self.profile, self.right, with_gold, self.seed)
        return found

    def conflict(self, results: Results, audits: Mapping[str, DatasetAudit]) -> dict[str, Conflict]:
        """Returns {test: entry of `conflict`} for the tests with false passages. `audits`: test -> audit."""
        found: dict[str, Conflict] = {}
        for test, audit in audits.items():
            if counts := {name: n for of in audit.get("conflicts", {}).values() for name, n in of.items()}:
                names = results["arms"] if test == TEST else results["conditions"][test]
                arms = {arm: one for arm in names if (one := self.graded[label(arm, test)]).arm.observed.get(FOLLOWS)}
                found[test] = {
                    "n": counts.pop("planted", 0),
                    "left_out": counts,
                    "without": {},
                    "comparisons": [],
                }
                if test != TEST:
                    own = replace(self.profile, metrics=(FOLLOWS, self.right))
                    replies = {arm: one.arm for arm, one in arms.items()}
                    if results["reference"] in replies:
                        found[test]["comparisons"] = scoring.comparisons(results["reference"], replies, own, self.seed)
                    found[test]["without"] = {arm: self._without(arm, one) for arm, one in arms.items()}
        return found

    def _without(self, arm: str, under: GradedTest) -> Summary:
        """Returns the figure of an arm in the study's own test, on the questions of a test with false passages."""
        asked = {example.id for example in under.examples}
        own = self.graded[arm]
        places = [place for place, example in enumerate(own.examples) if example.id in asked]
        return scoring.summary(own.arm.observed, [self.right], self.seed, places)
