"""The stages that measure how a study's trainings change its arms elsewhere: on other corpora and on general text.

- evaluation.transfer: the arms answer the test questions of other corpora (`pipeline.transfers`).
- evaluation.kl: KL(base || arm) on a text of general subjects, one stage for each training or ready adapter.
"""

from collections.abc import Callable, Mapping
from functools import cached_property

from raft_exp.core.stage import Stage
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.stages import Fingerprint, StageMaker
from raft_exp.pipeline.trainings import trainings
from raft_exp.pipeline.transfer_settings import weighted_arms
from raft_exp.pipeline.transfers import OtherCorpus


class Elsewhere:
    """Makes the stages of `evaluation.transfer` and `evaluation.kl`; none if neither is set.

    `weights` returns the stage with the trained weights of an arm; None for an arm that the study does not train.
    `choices`: the stages that choose a prompt, by arm.
    """

    def __init__(
        self,
        config: Config,
        fingerprint: Fingerprint,
        make: StageMaker,
        weights: Callable[[str], Stage | None],
        choices: Mapping[str, Stage],
    ) -> None:
        self._config, self._make, self._weights, self._choices = config, make, weights, choices
        self._others = {name: OtherCorpus(config, name, fingerprint) for name in config.evaluation.transfer}

    @property
    def sources(self) -> list[Stage]:
        """The stages up to the test rows of the other corpora. They read no result of a training."""
        return [stage for other in self._others.values() for stage in other.sources]

    @property
    def answers(self) -> list[Stage]:
        """The evaluate stages of the other corpora, and the kl stages."""
        evaluated = [stage for answers in self._answers.values() for stage in answers.values()]
        return [*evaluated, *{stage.label: stage for stage in self._divergences.values()}.values()]

    @property
    def graded(self) -> list[Stage]:
        """The transfer stages, which grade the answers."""
        return list(self._graded.values())

    def read(self) -> dict[str, Mapping[str, Stage]]:
        """Returns the report stage's inputs `transfer` and `kl`.

        An input without stages is left out, so that the report's key does not change.
        """
        inputs = {"transfer": self._graded, "kl": self._divergences}
        return {name: stages for name, stages in inputs.items() if stages}

    @cached_property
    def _answers(self) -> dict[str, dict[str, Stage]]:
        """Other corpus -> arm -> the stage of the arm's answers."""
        return {at: {name: self._asked(other, name) for name in other.arms} for at, other in self._others.items()}

    def _asked(self, other: OtherCorpus, name: str) -> Stage:
        return other.answers(name, self._config.arms[name], self._weights(name), self._choices.get(name))

    @cached_property
    def _graded(self) -> dict[str, Stage]:
        return {at: self._others[at].graded(answers) for at, answers in self._answers.items()}

    @cached_property
    def _divergences(self) -> dict[str, Stage]:
        """Arm -> its kl stage. Arms of one training have one stage."""
        labels = {arm: training.label for training in trainings(self._config) for arm in training.arms}
        arms = weighted_arms(self._config) if self._config.evaluation.kl else []
        return {name: self._make.divergence(labels.get(name, name), name, self._weights(name)) for name in arms}
