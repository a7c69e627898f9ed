"""The sizes of a planned study's model, and the memory of its largest training."""

from raft_exp.apps.plan.devices import Device
from raft_exp.apps.plan.figures import Figure, LeftOut
from raft_exp.apps.plan.footprint import Footprint, footprint
from raft_exp.apps.plan.memory import answering_memory, training_memory
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.apps.plan.tokens import processes_of, training_tokens
from raft_exp.core.errors import ModelError
from raft_exp.pipeline import remarks
from raft_exp.pipeline.trainings import Training, trainings


def sizes(study: PlannedStudy, left: LeftOut) -> Footprint | None:
    """Returns the footprint of the model with the study's largest adapter.

    Returns None if the study runs no model on this machine, or if the footprint is unknown. `left`: receives a line
    with the reason why a size is unknown.
    """
    config = study.config
    if not any(getattr(stage.config, "model", None) for stage in study.stages if stage.name in ("train", "evaluate")):
        return None  # a server answers, and nothing is trained
    trained = trainings(config)
    lora = max((training.lora for training in trained), key=lambda lora: lora.r or 10**9, default=config.lora)
    precision = trained[0].trainer.precision if trained else config.trainer.resolved(config.model.dtype, 1.0).precision
    try:
        found = footprint(config.model, lora, precision)
    except ModelError as error:
        left.say(f"memory, disk space of weights, and the time of stages that were never measured: {error}")
        return None
    if found.activations is None:
        left.say(f"memory of activations: unknown; {config.model.name_or_path} cannot run on torch's meta device")
    return found


def warnings(study: PlannedStudy) -> list[str]:
    """Returns the warnings: of a model with random weights, and of a metric that does not suit long answers."""
    return [*_random_weights(study), *_long_answers(study)]


def _long_answers(study: PlannedStudy) -> list[str]:
    questions = study.labelled("questions")
    outcome = study.store.look(questions) if questions else None
    if outcome is None or outcome.status != "reused":
        return []
    return list(filter(None, [remarks.of_questions(study.config, study.store.obtain(outcome.stage))]))


def _random_weights(study: PlannedStudy) -> list[str]:
    report = study.labelled("report")
    if report is None or not report.config.random_weights:
        return []
    return [
        f"the model {study.config.model.name_or_path} has random weights: such a study shows that everything runs, but "
        "does not compare the arms; plan with a trained model, such as model=qwen2_5_0_5b"
    ]


def largest_training(study: PlannedStudy, footprint: Footprint, device: Device, left: LeftOut) -> list[Figure]:
    """Returns the memory for the study's largest training, and for the answers to the test questions.

    `left`: receives a line if trainer.devices is auto on GPUs, because the figures are then for one device.
    """
    all_trainings = trainings(study.config)
    by_training = [figures for training in all_trainings if (figures := _memory(study, training, footprint, device))]
    if device.name != "cpu" and any(training.trainer.devices == "auto" for training in all_trainings):
        left.say("trainer.devices=auto: figures are for one device")
    largest = max(by_training, key=lambda figures: figures[-1]["value"] or 0.0, default=[])
    return [*largest, *answering_memory(study, footprint, device)]


def _memory(study: PlannedStudy, training: Training, footprint: Footprint, device: Device) -> list[Figure]:
    dataset = study.labelled(f"dataset[{training.dataset}]")
    if dataset is None:
        return []
    tokens = training_tokens(study, dataset)
    return training_memory(training, footprint, tokens, device, processes_of(training.trainer))
