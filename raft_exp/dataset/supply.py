"""The distractors of the questions of one data set, and the error where a pool has too few of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from raft_exp.core.errors import DataError
from raft_exp.core.records import Question
from raft_exp.core.schema import config_dataclass
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker


@config_dataclass
class SettingNames:
    """The dotted names of the settings that decide the number of distractors, for errors."""

    num_distractors: str
    allow_fewer: str
    same_document: str
    allow_answer_in_distractor: str = ""  # "" where the setting does not exist: a test
    condition: str = ""  # the condition that the data set is made for; "" for none

    @classmethod
    def of(
        cls, group: str, changes: Mapping[str, object] | None = None, place: str = "", condition: str = ""
    ) -> "SettingNames":
        """The names in a config group; those of the settings in `changes`, made at `place`, are there."""
        names = {
            name: f"{place if name in (changes or {}) else group}.{name}"
            for name in ("num_distractors", "allow_fewer", "same_document")
        }
        answer = "allow_answer_in_distractor"
        of_answers = f"{place if answer in (changes or {}) else group}.{answer}" if group == "dataset" else ""
        return cls(**names, allow_answer_in_distractor=of_answers, condition=condition)

    @classmethod
    def of_condition(cls, name: str, changes: Mapping[str, object]) -> "SettingNames":
        """The names for a condition of the evaluation with its changes."""
        return cls.of("evaluation", changes, f"evaluation.conditions.{name}", name)


DATASET_NAMES, EVALUATION_NAMES = SettingNames.of("dataset"), SettingNames.of("evaluation")


@dataclass(frozen=True)
class DistractorSupply:
    """Takes the first distractors of a ranking for each question of a data set.

    A question gets `num_distractors`, and as many more as `in_place_of_gold` returns for it. `questions` streams all
    questions of the data set; it is read where one of them has too few, so that the error gives a number that all of
    them have.
    """

    distractor_filter: DistractorFilter
    rank: Ranker
    pool_size: int  # passages
    num_distractors: int
    in_place_of_gold: Callable[[Question], int]
    questions: Callable[[], Iterator[Question]]
    allow_fewer: bool
    names: SettingNames

    def __call__(self, question: Question) -> list[int]:
        """The ordinals of the distractors. Raises DataError where they are too few and `allow_fewer` is false."""
        wanted = self.num_distractors + self.in_place_of_gold(question)
        taken = self.distractor_filter.distractors(question, self.rank(question), wanted)
        if len(taken) < wanted and not self.allow_fewer:
            raise self._too_few(question, len(taken))
        return taken

    def _too_few(self, question: Question, left: int) -> DataError:
        names, extra = self.names, self.in_place_of_gold(question)
        counts = [self._beside_gold(each, self.distractor_filter) for each in self.questions()]
        short = sum(count < self.num_distractors for count in counts)
        condition = f" under the condition {names.condition}" if names.condition else ""
        demand = f"{names.num_distractors}={self.num_distractors}" + (
            f", and {extra} in the place of its gold" if extra else ""
        )
        return DataError(
            f"question {question.id!r}{condition}: {left} of {self.num_distractors + extra} distractors are left "
            f"({demand}), and {short} of {len(counts)} {question.split} questions have too few; the pool holds "
            f"{self._pool(question.split)}",
            [*self._remedies(min(counts, default=0))],
        )

    def _pool(self, split: str) -> str:
        passages = self.distractor_filter.passages
        if passages.shared:
            return f"all {self.pool_size} passages"
        by = "documents" if passages.units is passages.documents else "sections"
        left_out = "" if self.distractor_filter.same_document else f", but those of the gold's own {by}"
        return f"the {self.pool_size} passages of {split} {by} and of {by} in no split{left_out}"

    def _beside_gold(self, question: Question, distractor_filter: DistractorFilter) -> int:
        """The highest `num_distractors`, up to the present one, for which the question has enough."""
        extra = self.in_place_of_gold(question)
        wanted = self.num_distractors + extra
        return len(distractor_filter.distractors(question, self.rank(question), wanted)) - extra

    def _remedies(self, fewest: int) -> Iterator[str]:
        """The changes with which every question has enough distractors, `fewest` being those of the poorest one."""
        names = self.names
        if fewest > 0:
            yield f"set {names.num_distractors}={fewest}"
        if not self.distractor_filter.same_document:
            yield from self._wider(names.same_document, replace(self.distractor_filter, same_document=True), fewest)
        if names.allow_answer_in_distractor and not self.distractor_filter.answer_allowed:
            wider = replace(self.distractor_filter, answer_allowed=True)
            yield from self._wider(names.allow_answer_in_distractor, wider, fewest)
        yield "add documents"
        if names.condition:
            yield f"leave the condition {names.condition} out"
        yield f"or set {names.allow_fewer}=true to go on with fewer"

    def _wider(self, setting: str, wider: DistractorFilter, fewest: int) -> Iterator[str]:
        """The remedy of a filter that lets more passages pass, where it helps: with it, perhaps, a lower number."""
        most = min((self._beside_gold(each, wider) for each in self.questions()), default=0)
        if most > max(fewest, 0):
            number = f" and {self.names.num_distractors}={most}" if most < self.num_distractors else ""
            yield f"set {setting}=true{number}"
