"""README.md of a tool's folder: its commands, the trainings, and the arms that compare the results."""

from collections.abc import Iterator, Mapping

from raft_exp.exports.trainers import TOOLS
from raft_exp.exports.trainers.settings import ToolName, ToolSettings, ToolTraining

_EQUAL = (
    "Base model, token ids of prompts and replies, loss on the reply and its end token alone, adapter, rows of a step, "
    "number of steps, learning rate, warm-up and schedule, weight decay and gradient clipping are those of the study. "
    "The order of the rows, the first values of the adapter and dropout come from the tool's own random numbers."
)


def readme(name: ToolName, settings: ToolSettings, rows: Mapping[str, int]) -> str:
    """Returns the text of README.md. `rows`: training set -> number of rows."""
    tool, trainings = TOOLS[name], settings.trainings
    commands = [tool.command.format(label=label) for label in trainings]
    several = max(training.devices for training in trainings.values())
    parts = [
        f"# {tool.title}: the trainings of the study {settings.study}",
        "Run in this folder:",
        _code(commands),
        *([f"Start {several} processes (torchrun, accelerate), one for each device."] if several > 1 else []),
        _table(name, settings, rows),
        _EQUAL,
        *([f"No tool repeats the training of {', '.join(settings.left_out)}."] if settings.left_out else []),
        "## Compare the results",
        "Run the study again with its own settings, and add an arm for each result. RUN is the folder of this run.",
        *(_code(_compared(name, label, training, rows)) for label, training in trainings.items()),
    ]
    return "\n\n".join(parts) + "\n"


def result(name: ToolName, label: str, training: ToolTraining, rows: Mapping[str, int]) -> str:
    """Returns the folder of the trained weights, relative to the folder of the tool.

    `label`: name of the training. `rows`: training set -> number of rows.
    """
    return TOOLS[name].result.format(label=label, steps=training.steps(rows[training.dataset]))


def _table(name: ToolName, settings: ToolSettings, rows: Mapping[str, int]) -> str:
    lines = [
        "| configuration | data | rows | steps | rows a step | weights | result |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, training in settings.trainings.items():
        weights = f"LoRA r={training.lora.r}" if training.lora else "all"
        count = rows[training.dataset]
        cells = (f"{label}.yaml", f"{training.dataset}.jsonl", f"{count:,}", f"{training.steps(count):,}")
        more = (str(training.batch_size), weights, result(name, label, training, rows))
        lines.append(f"| {' | '.join((*cells, *more))} |")
    return "\n".join(lines)


def _compared(name: ToolName, label: str, training: ToolTraining, rows: Mapping[str, int]) -> Iterator[str]:
    folder = f"RUN/exports/{name}/{result(name, label, training, rows)}"
    for arm, tested in training.arms.items():
        if training.lora is None:  # a whole model takes the place of the study's model
            base = {"none": "base", "passages": "rag_cot" if tested.cot else "rag", "gold": "oracle"}[tested.context]
            yield f"python -m raft_exp ... model.name_or_path={folder} 'evaluation.arms=[{base}]'  # the arm {arm}"
            continue
        new = f"{arm}_{name}"
        cot = str(tested.cot).lower()
        settings = f"{{recipe: none, context: {tested.context}, cot: {cot}, adapter: {folder}, dataset: {{}}}}"
        yield f"python -m raft_exp ... 'evaluation.arms=[rag,{arm},{new}]' '+arms.{new}={settings}'"


def _code(lines: Iterator[str] | list[str]) -> str:
    return "```\n" + "\n".join(lines) + "\n```"
