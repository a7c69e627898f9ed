"""Writes the folder of each tool: data, one configuration file for each training, and a README.md with the commands."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from raft_exp.core.records import Example, read_jsonl, write_jsonl
from raft_exp.exports.columns import Row
from raft_exp.exports.trainers import TOOLS, Tool
from raft_exp.exports.trainers.readme import readme
from raft_exp.exports.trainers.rows import check_texts, token_row, without_first
from raft_exp.exports.trainers.settings import ToolName, ToolSettings
from raft_exp.models.loading import tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def write(out: Path, settings: ToolSettings, datasets: Mapping[str, Path]) -> dict[str, int]:
    """Writes a folder for each tool into `out`. Returns {data file, such as `trl/raft.jsonl`: number of rows}.

    `datasets`: name of a training set -> its folder. Raises DataError for a row on which a tool would train with other
    token ids than the study.
    """
    tokenizer = tokenizer_of(settings.model)
    names = list(dict.fromkeys(training.dataset for training in settings.trainings.values()))
    counts: dict[str, int] = {}
    for name in settings.tools:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = {dataset: _write_rows(folder, name, dataset, tokenizer, datasets[dataset]) for dataset in names}
        counts |= {f"{name}/{dataset}.jsonl": count for dataset, count in rows.items()}
        _write_files(folder, name, settings, rows)
    return counts


def _write_rows(folder: Path, name: ToolName, dataset: str, tokenizer: "PreTrainedTokenizerBase", source: Path) -> int:
    examples = (row for row in read_jsonl(source / "rows.jsonl", Example) if row.split == "train")
    return write_jsonl(folder / f"{dataset}.jsonl", _rows(TOOLS[name], name, tokenizer, examples))


def _rows(
    tool: Tool, name: ToolName, tokenizer: "PreTrainedTokenizerBase", examples: Iterable[Example]
) -> Iterator[Row]:
    for example in examples:
        tokens = token_row(tokenizer, example)
        if tool.adds_first:
            tokens = without_first(tokenizer, tokens, name)
        if tool.reads_texts:
            check_texts(tokenizer, tokens, name, tool.placeholders)
        yield tool.row(tokens)


def _write_files(folder: Path, name: ToolName, settings: ToolSettings, rows: Mapping[str, int]) -> None:
    tool = TOOLS[name]
    texts = {"README.md": readme(name, settings, rows), **tool.files(rows)}
    for label, training in settings.trainings.items():
        config = tool.config(settings, label, rows[training.dataset])
        head = f"# {tool.title}: run in this folder with `{tool.command.format(label=label)}`\n"
        texts[f"{label}.yaml"] = head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8", newline="\n")
