"""The stages of a study and the inputs of each.

ingest -> questions -> targets -> dataset[recipe] -> train[recipe] --+      (index, embed, rerank: for retrieval)
                |     (judge, citations; transfer, kl: `elsewhere`)  v
                +-----------> dataset[test] ----------------> evaluate[arm] -> report

The export stage reads all data sets and the passages. It also runs with until=dataset. If `until` is an earlier stage,
it exports only passages.
"""

from collections.abc import Iterable
from functools import cached_property

from raft_exp.core.stage import STAGES, Stage, keys_upstream
from raft_exp.corpora import open_corpus
from raft_exp.dataset.supply import GOLD_ARMS_NAMES, SettingNames
from raft_exp.evaluation.selection import FEW_SHOT
from raft_exp.pipeline import placement, trainings
from raft_exp.pipeline.conditions import condition, gold_alone, validation
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.elsewhere import Elsewhere
from raft_exp.pipeline.export_settings import ends_before_datasets
from raft_exp.pipeline.judging import Judging, judging
from raft_exp.pipeline.selection import Selection, choose_rates
from raft_exp.pipeline.stages import Fingerprint, StageMaker
from raft_exp.pipeline.wordings import choose_prompts, wordings
from raft_exp.prompts import PromptConfig


def build(config: Config, fingerprint: Fingerprint) -> list[Stage]:
    """Returns the stages of a study in order of execution. `fingerprint` returns content hashes of local files."""
    study = _Study(config, fingerprint)
    answers, exported, last = study.answers.values(), study.exports, study.report  # reading them makes all other stages
    make, searched, elsewhere = study.make, study.searched, study.elsewhere
    first = [make.passages, *make.before_questions, make.questions]
    stages = [*first, *(each for each in (*make.vectors.values(), make.index) if each not in first)]
    stages += [reranked for reranked in make.reranked.values() if "targets" not in reranked.inputs]
    # The stages of test questions of other corpora and of validation questions fail if there are none. So they come
    # before the first request to a teacher.
    stages += [*elsewhere.sources, *searched.questions]
    stages += [*make.references, make.targets]  # without long references, the study ends before it pays for training
    stages += [reranked for reranked in make.reranked.values() if "targets" in reranked.inputs]
    stages += [*study.datasets.values(), *study.tests.values(), *study.worked_examples, *exported, *searched.trained]
    stages += [*placement.together(searched.answers), *study.adapters.values(), *study.prompts.choices.values()]
    stages += [*placement.together([*answers, *elsewhere.answers]), *study.judging.stages]
    stages += [*study.citations.values(), *elsewhere.graded, last]
    needed = keys_upstream([*exported, last]) & keys_upstream(
        _ends(config, stages, [*searched.answers, *make.references[:-1]])
    )
    selected = [stage for stage in stages if stage.key in needed]
    if make.lacks_questions and make.questions in selected:
        next(iter(open_corpus(config.corpus).questions()), None)  # raises the error of the missing questions
    return selected + exported if ends_before_datasets(config) else selected


def _ends(config: Config, stages: Iterable[Stage], on_demand: Iterable[Stage]) -> list[Stage]:
    """Returns the stages up to `until`, without the stages in `on_demand`, which run only if a later stage reads them.

    `on_demand`: the evaluations of candidates, which select stages read, and the teacher's texts for the evaluation.
    """
    until = STAGES.index("export" if config.until == "dataset" else config.until)
    excepted = {stage.key for stage in on_demand}
    return [stage for stage in stages if STAGES.index(stage.name) <= until and stage.key not in excepted]


class _Study:
    """Makes the stages of a study. Each property makes its stages when it is first read."""

    def __init__(self, config: Config, fingerprint: Fingerprint) -> None:
        self._config, self.make, self._fingerprint = config, StageMaker(config, fingerprint), fingerprint
        self._arms = {name: config.arms[name] for name in config.evaluation.arms}
        self._trainings = trainings.trainings(config)

    @cached_property
    def datasets(self) -> dict[str, Stage]:
        """The stages of the training sets by name."""
        return {name: self.make.training_rows(name, owner) for name, owner in trainings.owners(self._config).items()}

    @cached_property
    def _validation(self) -> Stage:
        """The stage of the validation questions on which settings are chosen."""
        return self.make.test_rows("validation", validation(self._config), SettingNames.of("selection.changes"))

    @cached_property
    def _gold_validation(self) -> Stage:
        """The stage of the validation questions with their gold passages alone."""
        return self.make.test_rows("validation_gold", gold_alone(validation(self._config)), GOLD_ARMS_NAMES)

    def _validation_of(self, name: str) -> Stage:
        return self._gold_validation if self._arms[name].context == "gold" else self._validation

    @cached_property
    def rates(self) -> Selection:
        """The stages that search for learning rates; empty if the study does not choose a rate."""
        config, make = self._config, self.make
        if not config.selection.on:
            return Selection()
        return choose_rates(
            config, self._trainings, self.datasets, self._validation_of, make.studied, make.train, make.evaluate
        )

    @cached_property
    def adapters(self) -> dict[str, Stage]:
        """The stage with the weights of each training, by label: a train stage, or a select stage."""
        trained = {training.label: training for training in self._trainings}
        return self.rates.choices or {label: self.make.train(each, self.datasets) for label, each in trained.items()}

    @cached_property
    def _test(self) -> Stage:
        return self.make.test_rows("test", self._config.evaluation)

    @cached_property
    def _gold_test(self) -> Stage | None:
        """The stage of the test questions with their gold passages alone; None if no arm has `context=gold`."""
        if all(arm.context != "gold" for arm in self._arms.values()):
            return None
        return self.make.test_rows("test_gold", gold_alone(self._config.evaluation), GOLD_ARMS_NAMES)

    def _test_of(self, name: str) -> Stage:
        gold_test = self._gold_test if self._arms[name].context == "gold" else None
        return gold_test or self._test

    @cached_property
    def _conditions(self) -> dict[str, Stage]:
        """The stages of the test questions under each condition, by the condition's name."""
        return {
            name: self.make.test_rows(
                f"test@{name}",
                condition(self._config, name),
                SettingNames.of_condition(name, changes),
            )
            for name, changes in self._config.evaluation.conditions.items()
        }

    @property
    def tests(self) -> dict[str, Stage]:
        """The stages of the test rows and of the rows of each condition, by name: `test`, `test@CONDITION`."""
        gold_test = [self._gold_test] if self._gold_test else []
        return {rows.part: rows for rows in (self._test, *gold_test, *self._conditions.values())}

    @cached_property
    def _raft_rows(self) -> Stage:
        """The stage of the raft training set, which supplies worked examples even if no arm is trained on it."""
        return self.datasets.get("raft") or self.make.raft_rows()

    @cached_property
    def _examples(self) -> dict[str, Stage]:
        """Arm -> the stage of its worked examples, for arms whose setting `examples` is above 0."""
        shown = {name: arm.examples for name, arm in self._arms.items() if arm.examples}
        return {
            name: self.make.examples(name, most, self._test_of(name), self._raft_rows) for name, most in shown.items()
        }

    @cached_property
    def _tried_examples(self) -> dict[str, Stage]:
        """Arm -> the stage of its worked examples, for arms whose prompt search tries a prompt with such examples."""
        most = self._config.evaluation.examples
        return {
            name: self.make.examples(
                name, most, self._test_of(name), self._raft_rows, f"examples@{name}@{FEW_SHOT}", required=False
            )
            for name in self._config.tried_with_examples()
        }

    @property
    def worked_examples(self) -> list[Stage]:
        """All stages of worked examples. The raft training set comes first if no arm is trained on it."""
        stages = [*self._examples.values(), *self._tried_examples.values()]
        return [self._raft_rows, *stages] if stages and "raft" not in self.datasets else stages

    @cached_property
    def prompts(self) -> Selection:
        """The stages that search for a prompt of each untrained arm; empty with evaluation.prompts=as_written."""
        config = self._config
        if not wordings(config):
            return Selection()

        def ask(name: str, label: str, prompt: PromptConfig, shown: Stage | None) -> Stage:
            shown = shown or self._examples.get(name)
            return self.make.evaluate(label, self._arms[name], self._validation_of(name), examples=shown, prompt=prompt)

        return choose_prompts(config, self._validation_of, self.make.studied, self._tried_examples, ask)

    @property
    def searched(self) -> Selection:
        """The stages of both searches together: for learning rates and for prompts."""
        return self.rates.beside(self.prompts)

    @cached_property
    def answers(self) -> dict[str, Stage]:
        """The evaluate stages: all arms on the test questions, and arms with passages under each condition."""
        answers = {name: self._answers(name, name, self._test_of(name)) for name in self._arms}
        for name, arm in self._arms.items():
            for at, rows in self._conditions.items() if arm.context == "passages" else ():
                answers[f"{name}@{at}"] = self._answers(f"{name}@{at}", name, rows)
        return answers

    def _answers(self, label: str, name: str, rows: Stage) -> Stage:
        examples, prompt = self._examples.get(name), self.prompts.choices.get(name)
        return self.make.evaluate(label, self._arms[name], rows, self._weights(name), examples, prompt)

    def _weights(self, name: str) -> Stage | None:
        """The stage with the trained weights of an arm; None for an arm that the study does not train."""
        training = next((training for training in self._trainings if name in training.arms), None)
        return self.adapters[training.label] if training else None

    @cached_property
    def judging(self) -> Judging:
        """The stages in which a language model judges the replies; empty without evaluation.judge."""
        tests = {name: self._test_of(name) for name in self._arms}
        return judging(self._config, self._fingerprint, self.make.questions, tests, self.answers)

    @cached_property
    def citations(self) -> dict[str, Stage]:
        """Arm -> the stage that checks the citations of its replies; {} without evaluation.nli."""
        if self._config.evaluation.nli is None:
            return {}
        arms = [name for name, arm in self._arms.items() if arm.cites]
        return {name: self.make.citations(name, self._test_of(name), self.answers[name]) for name in arms}

    @cached_property
    def elsewhere(self) -> Elsewhere:
        """The stages that measure the effect of the trainings on other corpora and on general text."""
        return Elsewhere(self._config, self._fingerprint, self.make, self._weights, self.prompts.choices)

    @cached_property
    def exports(self) -> list[Stage]:
        """The export stage; [] if nothing is exported."""
        return self.make.export(trainings.owners(self._config), self.datasets, self.tests)

    @cached_property
    def report(self) -> Stage:
        """The report stage, the last stage of a study."""
        return self.make.report(
            self.datasets,
            test=self._test,
            conditions=self._conditions,
            answers=self.answers,
            adapters=self.adapters,
            **({"gold_test": self._gold_test} if self._gold_test else {}),
            **self.judging.read(),
            **({"citations": self.citations} if self.citations else {}),
            **self.searched.read(),
            **self.elsewhere.read(),
        )
