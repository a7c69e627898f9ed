"""The stages that choose the learning rates of a study on validation questions.

train[raft@lr=0.001] -> evaluate[raft@lr=0.001] --+
train[raft@lr=0.003] -> evaluate[raft@lr=0.003] --+-> select[raft]
                  dataset[validation] ------------+

The test uses the result of select[raft], which holds the weights of the chosen training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from raft_exp.core.stage import Inputs, Stage
from raft_exp.evaluation import metrics
from raft_exp.evaluation.select_stage import SelectStage, select
from raft_exp.pipeline import placement
from raft_exp.pipeline.config import ArmConfig, Config, primary_of, profile_of
from raft_exp.pipeline.trainings import Training

Train = Callable[[Training, Mapping[str, Stage]], Stage]  # training, stages of the training sets by name
Evaluate = Callable[[str, ArmConfig, Stage, Stage], Stage]  # label, arm, stage of the questions, stage of the weights


@dataclass
class Selection:
    """The stages that search for the best value of a setting; empty in a study without a search.

    `choices`: the select stages, by the label of the training or the name of the arm whose value they choose.
    """

    questions: list[Stage] = field(default_factory=list)  # of the validation rows
    trained: list[Stage] = field(default_factory=list)  # trainings with the candidate values; [] for prompts
    answers: list[Stage] = field(default_factory=list)  # answers to the validation questions, by each candidate
    choices: dict[str, Stage] = field(default_factory=dict)

    def beside(self, other: "Selection") -> "Selection":
        """Returns both searches as one. Keys of its `choices`: the parts of the labels in brackets (`rag@prompt`)."""
        questions = {stage.key: stage for stage in (*self.questions, *other.questions)}
        choices = {stage.part: stage for stage in (*self.choices.values(), *other.choices.values())}
        return Selection(list(questions.values()), self.trained + other.trained, self.answers + other.answers, choices)

    def read(self) -> dict[str, Mapping[str, Stage]]:
        """Returns the report stage's input `choices`.

        Without a search, returns {}, so that the report's key does not change.
        """
        return {"choices": self.choices} if self.choices else {}


def choose_rates(
    config: Config,
    trainings: Sequence[Training],
    rows: Mapping[str, Stage],
    validation: Callable[[str], Stage],
    studied: Inputs,
    train: Train,
    evaluate: Evaluate,
) -> Selection:
    """Makes the stages that run each training with each candidate learning rate, and choose one rate.

    `rows`: the stages of the training sets, by name. `validation`: returns the stage of an arm's validation questions.
    `studied`: the stages of passages and questions. `train` and `evaluate` make the stages of one candidate.

    Arms with `context=gold` take part in the choice only if all arms of the training have this context.
    """
    made = Selection()
    for training in trainings:
        arms = [arm for arm in training.arms if config.arms[arm].context != "gold"] or list(training.arms)
        asked = validation(arms[0])
        made.questions += [asked] if asked.key not in {stage.key for stage in made.questions} else []
        tried = training.tried()
        weights = {name: train(candidate, rows) for name, candidate in tried.items()}
        answers = {
            f"{arm}@{name}": evaluate(f"{arm}@{name}", config.arms[arm], asked, weights[name])
            for name in tried
            for arm in arms
        }
        made.trained += weights.values()
        made.answers += answers.values()
        values = {name: candidate.trainer.learning_rate for name, candidate in tried.items()}
        settings = choice_settings(config, "trainer.learning_rate", values, arms, grid=True)
        inputs: Inputs = {"test": asked, "answers": answers, "payloads": weights}
        made.choices[training.label] = choice(config, training.label, settings, inputs, studied)
    return made


def choice(config: Config, label: str, settings: SelectStage, inputs: Inputs, studied: Inputs) -> Stage:
    """Makes the select stage `label`.

    `inputs`: the inputs that every metric needs. `studied`: the stages of passages and questions, which only some
    metrics need, such as metrics of quotes or of API calls.
    """
    needed = studied if metrics.METRICS[settings.metric].reads_corpus else {}
    process = placement.of_encoder(settings.encoder, "select") if settings.encoder else None
    return Stage(select, settings, {**inputs, **needed}, part=label, process=process)


def choice_settings(
    config: Config, setting: str, values: Mapping[str, object], arms: Sequence[str], grid: bool, ties: bool = False
) -> SelectStage:
    """Returns the settings of a select stage. `values`: the candidate values of `setting`, by candidate name.

    The stage compares the candidates by the study's primary metric. In two cases, the first suitable metric of the
    corpus replaces it: if the primary metric grades quotes and not all `arms` write reasoning, or if it compares
    replies with long references. Validation questions have no long references.

    `grid`: whether the values are numbers in ascending order. `ties`: whether candidates with equal results are
    compared by the lenient variant of the metric, if the metric has one.
    """
    own = profile_of(config)
    reasons, answers = all(config.arms[name].cot for name in arms), own.reference == "answers"
    metric = next(
        name
        for name in (primary_of(config)["metric"], *own.metrics)
        if (reasons or not metrics.METRICS[name].of_quotes) and (answers or not metrics.METRICS[name].of_wording)
    )
    return SelectStage(
        setting=setting,
        candidates=dict(values),
        grid=grid,
        metric=metric,
        corpus=config.corpus.name,
        reply_format=config.prompt.reply_format,
        refusal=config.prompt.refusal,
        arms={name: {"context": config.arms[name].context, "cot": config.arms[name].cot} for name in arms},
        seed=config.seed,
        encoder=config.encoder if metrics.METRICS[metric].batch else None,
        tie_break=f"{metric}_lenient" if ties and f"{metric}_lenient" in metrics.METRICS else None,
        min_quote_words=config.evaluation.min_quote_words,
        tokenizer=own.tokenizer,
    )
