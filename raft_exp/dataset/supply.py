"""Selects the distractors of a dataset's questions, and raises the error if a pool has too few."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from raft_exp.core.errors import DataError
from raft_exp.core.records import Question
from raft_exp.core.schema import config_dataclass
from raft_exp.dataset import distractor_count
from raft_exp.dataset.distractor_count import DistractorCount
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker


@config_dataclass
class SettingNames:
    """The dotted names of the settings that decide the number of distractors. Error messages show these names."""

    num_distractors: str
    allow_fewer: str
    same_document: str
    allow_answer_in_distractor: str = ""  # "" for a test set, which has no such setting
    condition: str = ""  # the condition that the data set is made for; "" for none
    of_gold_arms: bool = False  # the data set is made for arms with `context: gold`

    @classmethod
    def of(
        cls, group: str, changes: Mapping[str, object] | None = None, place: str = "", condition: str = ""
    ) -> "SettingNames":
        """Returns the names of the settings in a config group.

        `changes`: the settings that are set at `place`, e.g. in a condition, instead of in the group; their names begin
        with `place`. `condition`: the condition that the dataset is made for; "" for none.
        """

        def dotted(name: str) -> str:
            return f"{place if name in (changes or {}) else group}.{name}"

        return cls(
            dotted("num_distractors"),
            dotted("allow_fewer"),
            dotted("same_document"),
            dotted("allow_answer_in_distractor") if group == "dataset" else "",
            condition,
        )

    @classmethod
    def of_condition(cls, name: str, changes: Mapping[str, object]) -> "SettingNames":
        """Returns the names for a condition of the evaluation. `changes`: the settings that the condition sets."""
        return cls.of("evaluation", changes, f"evaluation.conditions.{name}", name)


DATASET_NAMES, EVALUATION_NAMES = SettingNames.of("dataset"), SettingNames.of("evaluation")
GOLD_ARMS_NAMES = replace(EVALUATION_NAMES, of_gold_arms=True)


@dataclass(frozen=True)
class DistractorSupply:
    """Takes the first distractors of a ranking for each question of a dataset.

    A question gets D distractors (`distractor_count.of_question`), plus the number that `in_place_of_gold` returns for
    the question. `questions` returns all questions of the dataset. It is called only for an error message, which names
    a number of distractors that every question has.
    """

    distractor_filter: DistractorFilter
    rank: Ranker
    pool_size: int  # passages
    num_distractors: DistractorCount
    seed: int | None  # draws the numbers of a range; None: each question gets the largest number
    in_place_of_gold: Callable[[Question], int]
    questions: Callable[[], Iterator[Question]]
    allow_fewer: bool
    names: SettingNames

    def __call__(self, question: Question) -> list[int]:
        """Returns the ordinals of the distractors.

        Raises DataError if there are too few and `allow_fewer` is false.
        """
        wanted = self._number(question) + self.in_place_of_gold(question)
        taken = self.distractor_filter.distractors(question, self.rank(question), wanted)
        if len(taken) < wanted and not self.allow_fewer:
            raise self._too_few(question, len(taken))
        return taken

    def _number(self, question: Question) -> int:
        """Returns D of a question; without a seed, the largest D."""
        if self.seed is None:
            return distractor_count.most(self.num_distractors)
        return distractor_count.of_question(self.num_distractors, self.seed, question.id)

    def _too_few(self, question: Question, left: int) -> DataError:
        names, extra, number = self.names, self.in_place_of_gold(question), self._number(question)
        counts, short = list[int](), 0
        for each in self.questions():
            counts.append(self._beside_gold(each, self.distractor_filter))
            short += counts[-1] < self._number(each)
        condition = f" under the condition {names.condition}" if names.condition else ""
        demand = f"{names.num_distractors}={distractor_count.shown(self.num_distractors)}" + (
            f", plus {extra} in place of its gold" if extra else ""
        )
        return DataError(
            f"question {question.id!r}{condition}: {left} of {number + extra} distractors are left "
            f"({demand}), and {short} of {len(counts)} {question.split} questions have too few; the pool holds "
            f"{self._pool(question.split)}",
            [*self._remedies(min(counts, default=0))],
        )

    def _pool(self, split: str) -> str:
        passages = self.distractor_filter.passages
        if passages.shared:
            return f"all {self.pool_size} passages"
        by = "documents" if passages.units is passages.documents else "sections"
        left_out = "" if self.distractor_filter.same_document else f", without those of the gold's own {by}"
        return f"the {self.pool_size} passages of {split} {by} and of {by} without a split{left_out}"

    def _beside_gold(self, question: Question, distractor_filter: DistractorFilter) -> int:
        """Returns the largest D for which the question has enough distractors, up to the largest of the setting."""
        extra = self.in_place_of_gold(question)
        wanted = distractor_count.most(self.num_distractors) + extra
        return len(distractor_filter.distractors(question, self.rank(question), wanted)) - extra

    def _remedies(self, fewest: int) -> Iterator[str]:
        """Yields changes after which every question has enough distractors, as text for the error message.

        `fewest`: the largest D for which every question has enough distractors.
        """
        names = self.names
        if fewest > 0:
            yield f"set {names.num_distractors}={self._lowered(fewest)}"
        if not self.distractor_filter.same_document:
            yield from self._wider(names.same_document, replace(self.distractor_filter, same_document=True), fewest)
        if names.allow_answer_in_distractor and not self.distractor_filter.answer_allowed:
            wider = replace(self.distractor_filter, answer_allowed=True)
            yield from self._wider(names.allow_answer_in_distractor, wider, fewest)
        yield "add documents"
        if names.condition:
            yield f"remove the condition {names.condition}"
        yield f"or set {names.allow_fewer}=true to go on with fewer"

    def _wider(self, setting: str, wider: DistractorFilter, fewest: int) -> Iterator[str]:
        """Yields the remedy `setting`=true, if the filter `wider` of this setting gives more distractors.

        The remedy includes a lower `num_distractors` if even `wider` gives too few.
        """
        most = min((self._beside_gold(each, wider) for each in self.questions()), default=0)
        if most > max(fewest, 0):
            present = distractor_count.most(self.num_distractors)
            number = f" and {self.names.num_distractors}={self._lowered(most)}" if most < present else ""
            yield f"set {setting}=true{number}"

    def _lowered(self, limit: int) -> str:
        return distractor_count.shown(distractor_count.at_most(self.num_distractors, limit))
