"""The stages in which a language model judges the replies of the arms (`evaluation.judge`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from raft_exp.core.stage import Inputs, Stage
from raft_exp.evaluation.judge.config import JudgeConfig, for_pairs, for_replies, tasks_of
from raft_exp.evaluation.judge.labels import usable_labels
from raft_exp.evaluation.judge.pairs_stage import JudgePairsStage, judge_pairs
from raft_exp.evaluation.judge.replies import ReplyForm
from raft_exp.evaluation.judge.stage import JudgeStage, judge
from raft_exp.models import loading
from raft_exp.pipeline import placement
from raft_exp.pipeline.arm_settings import arm_dataset
from raft_exp.pipeline.conditions import condition
from raft_exp.pipeline.config import Config, primary_of
from raft_exp.tasks.model import is_local

Fingerprint = Callable[[list[Path]], dict[str, str]]


@dataclass(frozen=True)
class Judging:
    """The stages of a judge; empty without one."""

    replies: Mapping[str, Stage] = field(default_factory=dict)  # by arm
    pairs: Mapping[str, Stage] = field(default_factory=dict)  # by "<reference arm>|<other arm>"

    @property
    def stages(self) -> list[Stage]:
        """All stages, sorted by name and key: the order of the requests does not depend on the order of the arms."""
        return sorted([*self.replies.values(), *self.pairs.values()], key=lambda stage: (stage.name, stage.key))

    def read(self) -> Inputs:
        """Returns the inputs of the report stage; {} without a judge."""
        inputs: dict[str, Mapping[str, Stage]] = {"judgements": self.replies, "judged_pairs": self.pairs}
        return {name: stages for name, stages in inputs.items() if stages}


def judging(
    config: Config, fingerprint: Fingerprint, questions: Stage, tests: Mapping[str, Stage], answers: Mapping[str, Stage]
) -> Judging:
    """Returns the stages of the study's judge; empty without evaluation.judge.

    `fingerprint` returns content hashes of local files. `tests`: arm -> the stage of its test rows. `answers`: arm ->
    the stage of its answers.
    """
    chosen = config.evaluation.judge
    if chosen is None:
        return Judging()
    weights, process = _weights(chosen, fingerprint), placement.of_judge(chosen)
    form = ReplyForm(config.prompt.reply_format, config.prompt.refusal)
    refusals, reference = _has_refusals(config), primary_of(config)["arm"]

    def of_arm(name: str) -> Stage:
        shows = config.arms[name].shows_passages
        settings = JudgeStage(for_replies(chosen), weights, form, shows, refusals)
        inputs: Inputs = {"test": tests[name], "questions": questions, "answers": answers[name]}
        return Stage(judge, settings, inputs, part=name, process=process)

    def of_pair(other: str) -> Stage:
        settings = JudgePairsStage(for_pairs(chosen), weights, form)
        both: Inputs = {"answers_a": answers[reference], "answers_b": answers[other]}
        inputs: Inputs = {"test": tests[reference], "questions": questions, **both}
        return Stage(judge_pairs, settings, inputs, part=f"{reference}|{other}", process=process)

    others = [name for name in config.evaluation.arms if name != reference] if chosen.pair else []
    return Judging(
        {name: of_arm(name) for name in (config.evaluation.arms if tasks_of(chosen) else [])},
        {f"{reference}|{other}": of_pair(other) for other in others},
    )


def label_files(config: Config, fingerprint: Fingerprint) -> dict[str, str]:
    """Returns the content hash of the labels that correct the judge's figures; {} without labels.

    Raises DataError for a file whose labels cannot be used.
    """
    judge, labels = config.evaluation.judge, config.evaluation.labels
    if judge is None or labels is None:
        return {}
    usable_labels(Path(labels), {name: task.reply == "claims" for name, task in tasks_of(judge).items()})
    (digest,) = fingerprint([Path(labels)]).values()
    return {"labels": digest}


def _weights(judge: JudgeConfig, fingerprint: Fingerprint) -> dict[str, str]:
    """Returns the content hashes of the files of a local judge; {} for a judge behind a server."""
    if not is_local(judge):
        return {}
    model = judge.model
    files = fingerprint(loading.files(model, f"{judge.group}.model"))
    return files | loading.date_files(model) | loading.conversion(model)


def _has_refusals(config: Config) -> bool:
    """Whether a trained arm learns to refuse, or a context of the test may lack the gold."""
    test = config.evaluation
    trained = [arm_dataset(config, name, config.arms[name]) for name in config.trained_arms()]
    learned = any(data.no_gold_target == "refuse" or data.refuse_share for data in trained)
    removed = test.without_gold or any(condition(config, name).without_gold for name in test.conditions)
    return learned or removed or test.context == "retrieved"
