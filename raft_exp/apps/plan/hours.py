"""The expected seconds of the stages to run: from measured results in the store, else from counted operations."""

import math
from collections.abc import Sequence

from raft_exp.apps.plan.devices import Device
from raft_exp.apps.plan.figures import Figure, LeftOut
from raft_exp.apps.plan.footprint import Footprint
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.apps.plan.tokens import processes_of, prompt_tokens, training_tokens
from raft_exp.core.stage import Stage
from raft_exp.engines import TransformersEngine
from raft_exp.pipeline.estimate import Measure, few_labels, questions_first
from raft_exp.training.config import TrainerConfig

_QUEUEING = 1e-3  # assumed CPU seconds of transformers per layer, for one generation step of a batch
_AT_ONCE = 256  # assumed requests that vLLM answers at once


def hours(study: PlannedStudy, footprint: Footprint | None, device: Device, left: LeftOut) -> list[Figure]:
    """Returns the seconds of the reused stages, of each stage to run, and of all stages to run together.

    Stages other than train and evaluate are estimated only from measured results. `footprint`: sizes of the model, None
    if unknown. `left`: receives lines with the stages that have no estimate, and a remedy.
    """
    figures, unknown, unsized = list[Figure](), list[str](), list[str]()
    planned = [stage for stage in study.stages if study.store.look(stage).status == "planned"]
    questions = study.expected.missing_questions(planned)
    for stage in planned:
        if figure := stage_seconds(study, stage, footprint, device):
            figures.append(figure)
        elif questions and stage.name in ("train", "evaluate") and study.expected.items(stage) is None:
            unsized.append(stage.label)
        else:
            unknown.append(stage.label)
    if questions and unsized:
        left.say(
            f"time of {few_labels(unsized)}: unknown before the questions are made; {questions_first(questions)}, and "
            "plan again"
        )
    if unknown:
        left.say(f"time: unknown for {few_labels(unknown)}; the store has no comparable result")
    stages = len(figures) + len(unknown) + len(unsized)
    if stages > 1 and figures:
        figures.append(_total(figures, stages))
    return [*_reused(study), *figures]


def stage_seconds(study: PlannedStudy, stage: Stage, footprint: Footprint | None, device: Device) -> Figure | None:
    """Returns the expected seconds of a stage: measured in the store, else estimated; None if neither is possible."""
    measure = study.expected.measure(stage)
    return _measured(stage, measure) if measure else _estimated(study, stage, footprint, device)


def _reused(study: PlannedStudy) -> list[Figure]:
    outcomes = [outcome for outcome in map(study.store.look, study.stages) if outcome.status == "reused"]
    if not outcomes:
        return []
    seconds = sum(outcome.seconds for outcome in outcomes)
    source = "reused from the store, not run again; they took this time"
    what = f"{len(outcomes)} of {len(study.stages)} stages"
    return [{"what": what, "value": seconds, "unit": "seconds", "basis": "measured", "source": source}]


def _total(figures: Sequence[Figure], stages: int) -> Figure:
    total: Figure = {
        "what": f"{len(figures)} of {stages} stages to run",
        "value": sum(figure["value"] or 0.0 for figure in figures),
        "unit": "seconds",
        "basis": "measured" if all(figure["basis"] == "measured" for figure in figures) else "estimated",
        "source": "the sum of the stages above",
    }
    return {**total, "at_most": True} if any("at_most" in figure for figure in figures) else total


def _measured(stage: Stage, measure: Measure) -> Figure:
    source = f"{measure.label} {measure.key[:12]} of the store"
    if measure.items:
        source += f", in proportion to its {measure.items:,} items"
    return {"what": stage.label, "value": measure.seconds, "unit": "seconds", "basis": "measured", "source": source}


def _estimated(study: PlannedStudy, stage: Stage, footprint: Footprint | None, device: Device) -> Figure | None:
    items = study.expected.items(stage) if stage.name in ("train", "evaluate") else None
    if footprint is None or items is None:
        return None
    if stage.name == "train":
        return _training(study, stage, items, footprint, device)
    return _answering(study, stage, items, footprint, device) if stage.config.model is not None else None


def _training(study: PlannedStudy, stage: Stage, items: int, footprint: Footprint, device: Device) -> Figure:
    """Estimates the seconds of a training from its operations, without those of attention.

    Each token needs four operations per frozen weight and six per trained weight, and two per weight in validation.
    """
    dataset, trainer = stage.inputs["dataset"], stage.config.trainer
    assert isinstance(dataset, Stage)
    tokens, processes = training_tokens(study, dataset), processes_of(trainer)
    frozen = footprint.linear if footprint.frozen_bytes else 0
    a_token = 4 * frozen + 6 * min(footprint.trained, footprint.linear)
    validated = _validation_rows(study, dataset, trainer, items)
    operations = tokens.mean * (items * a_token + validated * 2 * footprint.linear)
    assumption = device.assumption() + f", {processes} devices" * (processes > 1)
    figure: Figure = {
        "what": stage.label,
        "value": operations / (device.reached * processes),
        "unit": "seconds",
        "basis": "estimated",
        "source": f"{items:,} examples, {tokens.source}, {4 if frozen else 6}·N operations a token "
        f"(N = {footprint.linear / 1e6:,.0f} million), {assumption}",
    }
    return {**figure, "at_most": True} if tokens.at_most else figure


def _validation_rows(study: PlannedStudy, dataset: Stage, trainer: TrainerConfig, examples: int) -> int:
    """Returns the number of rows in all validation passes together."""
    counted = study.expected.sizes.validation(dataset)
    rows = min(number for number in (counted, trainer.validation_items, examples) if number is not None)
    return rows * (examples // trainer.batch_size // trainer.validate_every + 1)


def _answering(study: PlannedStudy, stage: Stage, items: int, footprint: Footprint, device: Device) -> Figure:
    """Estimates the seconds of an evaluation from operations, memory bandwidth and CPU time.

    Each token needs two operations per weight. Each generation step reads all weights once. With transformers, a step
    also needs some CPU time per layer.
    """
    test, engine, new = stage.inputs["test"], stage.config.engine, stage.config.model.max_new_tokens
    assert isinstance(test, Stage)
    prompt, _, source = prompt_tokens(study, test, stage.config.context == "passages")
    at_once, queueing = _AT_ONCE, 0.0
    if isinstance(engine, TransformersEngine):
        at_once, queueing = max(1, int(engine.batch_tokens / (prompt + new))), _QUEUEING * footprint.layers
    computing = items * (prompt + new) * 2 * footprint.linear / device.reached
    writing = math.ceil(items / at_once) * new * (footprint.saved_bytes / device.bandwidth + queueing)
    return {
        "what": stage.label,
        "value": computing + writing,
        "unit": "seconds",
        "basis": "estimated",
        "source": f"{items:,} {source}, replies of model.max_new_tokens={new}, {at_once} at once, "
        f"{device.assumption()}, {device.bandwidth / 1e9:,.0f} GB/s",
        "at_most": True,
    }
