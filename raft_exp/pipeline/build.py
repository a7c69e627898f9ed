"""The stages of a study and the inputs of each.

ingest -> questions -> targets -> dataset[recipe] -> train[recipe] --+      (index, embed: for retrieval)
                |                                                    v
                +-----------> dataset[test] ----------------> evaluate[arm] -> report

export reads all datasets and the passages. It also runs with until=dataset, and with until=ingest for passages alone.
"""

from collections.abc import Iterable
from functools import cached_property

from raft_exp.core.stage import STAGES, Stage, keys_upstream
from raft_exp.corpora import open_corpus
from raft_exp.dataset.supply import SettingNames
from raft_exp.evaluation.selection import FEW_SHOT
from raft_exp.pipeline import placement, trainings
from raft_exp.pipeline.conditions import condition, validation
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.selection import Selection, choose_rates
from raft_exp.pipeline.stages import Fingerprint, StageMaker
from raft_exp.pipeline.wordings import choose_prompts, wordings
from raft_exp.prompts import PromptConfig


def build(config: Config, fingerprint: Fingerprint) -> list[Stage]:
    """Returns the stages of a study in order of execution. `fingerprint` returns content hashes of local files."""
    study = _Study(config, fingerprint)
    answers, exported, last = study.answers.values(), study.exports, study.report  # all other stages are made for these
    make, searched = study.make, study.searched
    first = [make.passages, *make.before_questions, make.questions]
    stages = [*first, *(vectors for vectors in make.vectors.values() if vectors not in first), make.index]
    stages += [*searched.questions, make.targets]  # the questions come before anything is paid: there may be none
    stages += [*study.datasets.values(), *study.tests.values(), *study.worked_examples, *exported, *searched.trained]
    stages += [*placement.together(searched.answers), *study.adapters.values(), *study.prompts.choices.values()]
    stages += [*placement.together(answers), last]
    needed = keys_upstream([*exported, last]) & keys_upstream(_ends(config, stages, searched.answers))
    selected = [stage for stage in stages if stage.key in needed]
    if make.lacks_questions and make.questions in selected:
        next(iter(open_corpus(config.corpus).questions()), None)  # raises the error before any stage runs
    return selected + exported if config.until == "ingest" else selected


def _ends(config: Config, stages: Iterable[Stage], tried: Iterable[Stage]) -> list[Stage]:
    """The stages at which a study ends with `until`.

    `tried` are the answers that a choice reads. They come before `select`, and are left out here: other evaluations
    come after it.
    """
    until = STAGES.index("export" if config.until == "dataset" else config.until)
    before_select = {stage.key for stage in tried}
    return [stage for stage in stages if STAGES.index(stage.name) <= until and stage.key not in before_select]


class _Study:
    """The stages of a study by their part in it. Each is made when it is first read."""

    def __init__(self, config: Config, fingerprint: Fingerprint) -> None:
        self._config, self.make = config, StageMaker(config, fingerprint)
        self._arms = {name: config.arms[name] for name in config.evaluation.arms}
        self._trainings = trainings.trainings(config)

    @cached_property
    def datasets(self) -> dict[str, Stage]:
        """The training sets by name."""
        return {name: self.make.training_rows(name, owner) for name, owner in trainings.owners(self._config).items()}

    @cached_property
    def _validation(self) -> Stage:
        """The questions that settings are chosen on."""
        return self.make.test_rows("validation", validation(self._config), SettingNames.of("selection.changes"))

    @cached_property
    def rates(self) -> Selection:
        """The search for learning rates; empty in a study that chooses none."""
        config, make = self._config, self.make
        if not config.selection.on:
            return Selection()
        return choose_rates(
            config, self._trainings, self.datasets, self._validation, make.studied, make.train, make.evaluate
        )

    @cached_property
    def adapters(self) -> dict[str, Stage]:
        """The trainings by label, or the choice of a rate for each."""
        trained = {training.label: training for training in self._trainings}
        return self.rates.choices or {label: self.make.train(each, self.datasets) for label, each in trained.items()}

    @cached_property
    def _test(self) -> Stage:
        return self.make.test_rows("test", self._config.evaluation)

    @cached_property
    def _conditions(self) -> dict[str, Stage]:
        """The test questions under each condition."""
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
        """The rows of the test and of its conditions, by part."""
        return {rows.part: rows for rows in (self._test, *self._conditions.values())}

    @cached_property
    def _raft_rows(self) -> Stage:
        """The raft training set, from which worked examples are drawn, also where no arm is trained on it."""
        return self.datasets.get("raft") or self.make.raft_rows()

    @cached_property
    def _examples(self) -> dict[str, Stage]:
        """Arm -> its worked examples, for arms that are always shown some."""
        shown = {name: arm.examples for name, arm in self._arms.items() if arm.examples}
        return {name: self.make.examples(name, most, self._test, self._raft_rows) for name, most in shown.items()}

    @cached_property
    def _tried_examples(self) -> dict[str, Stage]:
        """Arm -> worked examples that it is tried with, beside the wordings of its prompt."""
        most = self._config.evaluation.examples
        return {
            name: self.make.examples(
                name, most, self._test, self._raft_rows, f"examples@{name}@{FEW_SHOT}", required=False
            )
            for name in self._config.tried_with_examples()
        }

    @property
    def worked_examples(self) -> list[Stage]:
        """All worked examples, after the training set that they are drawn from where no arm is trained on it."""
        stages = [*self._examples.values(), *self._tried_examples.values()]
        return [self._raft_rows, *stages] if stages and "raft" not in self.datasets else stages

    @cached_property
    def prompts(self) -> Selection:
        """The search for a prompt of each untrained arm; empty in a study that asks as it is written."""
        config = self._config
        if not wordings(config):
            return Selection()

        def ask(name: str, label: str, prompt: PromptConfig, shown: Stage | None) -> Stage:
            shown = shown or self._examples.get(name)
            return self.make.evaluate(label, self._arms[name], self._validation, examples=shown, prompt=prompt)

        return choose_prompts(config, self._validation, self.make.studied, self._tried_examples, ask)

    @property
    def searched(self) -> Selection:
        """The searches for rates and for prompts together."""
        return self.rates.beside(self.prompts)

    @cached_property
    def answers(self) -> dict[str, Stage]:
        """The answers of every arm to the test, and of arms with passages under every condition."""
        answers = {name: self._answers(name, name, self._test) for name in self._arms}
        for name, arm in self._arms.items():
            for at, rows in self._conditions.items() if arm.context == "passages" else ():
                answers[f"{name}@{at}"] = self._answers(f"{name}@{at}", name, rows)
        return answers

    def _answers(self, label: str, name: str, rows: Stage) -> Stage:
        training = next((training for training in self._trainings if name in training.arms), None)
        adapter = self.adapters[training.label] if training else None
        examples, prompt = self._examples.get(name), self.prompts.choices.get(name)
        return self.make.evaluate(label, self._arms[name], rows, adapter, examples, prompt)

    @cached_property
    def exports(self) -> list[Stage]:
        """The export stage; [] where nothing is exported."""
        return self.make.export(trainings.owners(self._config), self.datasets, self.tests)

    @cached_property
    def report(self) -> Stage:
        """The last stage."""
        return self.make.report(
            self.datasets,
            test=self._test,
            conditions=self._conditions,
            answers=self.answers,
            adapters=self.adapters,
            **self.searched.read(),
        )
