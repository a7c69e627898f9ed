"""Data and configuration files with which other tools repeat the trainings of a study (`export.for`).

Every tool trains on the token ids and the loss mask of the study's own training. The prompts are written with the chat
template and the date of the study; thinking is disabled. The tool adds nothing to the prompts, except the first token
(bos) if `adds_first` is true. To add a tool:

1. Write a file in this package with two functions: `row` turns a TokenRow into a row of the tool's data file, and
   `config` returns the tool's configuration file.
2. Add its name to ToolName in `settings.py`, and a line to TOOLS.
3. Check its files with the tool's own loader, and list it in docs/how-to/other-trainers.md.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from raft_exp.exports.columns import Row
from raft_exp.exports.trainers import axolotl, llamafactory, swift, trl
from raft_exp.exports.trainers.rows import TokenRow
from raft_exp.exports.trainers.settings import ToolName, ToolSettings


def _no_files(datasets: Iterable[str]) -> dict[str, str]:
    del datasets
    return {}


@dataclass(frozen=True)
class Tool:
    """A tool: the functions that write its files, and its command line."""

    title: str
    command: str  # with {label}
    row: Callable[[TokenRow], Row]
    config: Callable[[ToolSettings, str, int], dict[str, object]]  # (settings, label, number of rows) -> configuration
    result: str = "{label}"  # folder of the trained weights, with {label} and {steps}
    files: Callable[[Iterable[str]], dict[str, str]] = _no_files  # names of training sets -> more files: name -> text
    reads_texts: bool = True  # False: the tool's data files hold token ids
    placeholders: tuple[str, ...] = ()  # texts that the tool replaces in a prompt
    adds_first: bool = False  # the tool puts the first token (bos) before a prompt, if the tokenizer does


TOOLS: Mapping[ToolName, Tool] = {
    "trl": Tool("TRL", "trl sft --config {label}.yaml", trl.row, trl.config, reads_texts=False),
    "axolotl": Tool("Axolotl", "axolotl train {label}.yaml", axolotl.row, axolotl.config),
    "llamafactory": Tool(
        "LLaMA-Factory",
        "llamafactory-cli train {label}.yaml",
        llamafactory.row,
        llamafactory.config,
        files=llamafactory.files,
        placeholders=llamafactory.PLACEHOLDERS,
    ),
    "swift": Tool(
        "ms-swift",
        "swift sft {label}.yaml",
        swift.row,
        swift.config,
        result="{label}/checkpoint-{steps}",
        placeholders=swift.PLACEHOLDERS,
        adds_first=True,
    ),
}
