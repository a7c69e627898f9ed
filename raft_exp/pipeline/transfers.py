"""The stages of a test on another corpus (`evaluation.transfer`): a study of this corpus without trainings.

ingest[transfer@B] -> questions[transfer@B] -> dataset[transfer@B] -> evaluate[raft@transfer@B] -> transfer[B]
                                                        train[raft] ----------+
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from raft_exp.core.errors import DataError
from raft_exp.core.stage import Inputs, Stage
from raft_exp.dataset.supply import SettingNames
from raft_exp.evaluation import metrics
from raft_exp.evaluation.transfer_stage import transfer
from raft_exp.models import encoder
from raft_exp.pipeline import placement
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.stages import Fingerprint, StageMaker
from raft_exp.pipeline.transfer_settings import compared_arms, grading, other_study


class OtherCorpus:
    """Makes the stages for one other corpus. Their keys are the same as in a study of this corpus."""

    def __init__(self, config: Config, name: str, fingerprint: Fingerprint) -> None:
        self.name, self._fingerprint = name, fingerprint
        self._compared, self._config = compared_arms(config), other_study(config, name)
        try:
            self._make = StageMaker(self._config, fingerprint)
        except DataError as error:  # a missing file
            raise DataError(f"evaluation.transfer.{name}: {error}") from None

    @property
    def arms(self) -> list[str]:
        """The arms that answer the questions of this corpus.

        First come the untrained arms, for comparison, then the arms with weights of their own.
        """
        return self._config.evaluation.arms

    @cached_property
    def test(self) -> Stage:
        """The stage of the test rows of this corpus."""
        evaluation, place = self._config.evaluation, f"evaluation.transfer.{self.name}.evaluation"
        names = SettingNames.of("evaluation", dict.fromkeys(("num_distractors", "allow_fewer", "same_document")), place)
        return self._make.test_rows(f"transfer@{self.name}", evaluation, names)

    @property
    def sources(self) -> list[Stage]:
        """The stages up to the test rows, in order of execution. Each label contains the name of the corpus."""
        make, test = self._make, self.test  # the test rows decide which searches are needed
        first = [make.passages, *make.before_questions, make.questions]
        searches = [*make.vectors.values(), make.index, *make.reranked.values()]
        stages = {stage.key: stage for stage in (*first, *searches)}
        own = f"transfer@{self.name}"
        return [*(replace(stage, part="@".join(filter(None, (stage.part, own)))) for stage in stages.values()), test]

    def answers(self, name: str, arm: ArmConfig, adapter: Stage | None, chosen: Stage | None) -> Stage:
        """Returns the stage of an arm's answers.

        `adapter`: the stage of the arm's trained weights. `chosen`: the stage that chooses the arm's prompt.
        """
        label = f"{name}@transfer@{self.name}"
        task = self._config.prompt.task if chosen else None
        return self._make.evaluate(label, arm, self.test, adapter, chosen=chosen, task=task)

    def graded(self, answers: Mapping[str, Stage]) -> Stage:
        """Returns the stage that grades and compares the answers of the arms, by arm."""
        settings = grading(self._config, self._compared)
        inputs: Inputs = {"test": self.test, "answers": answers}
        if metrics.profile(settings.corpus, settings.metrics).reads_corpus:
            inputs = {**inputs, **self._make.studied}
        if settings.encoder is None:
            return Stage(transfer, settings, inputs, part=self.name)
        files = self._fingerprint(encoder.files(settings.encoder))
        process = placement.of_encoder(settings.encoder, "transfer")
        return Stage(transfer, settings, inputs, files, self.name, process)
