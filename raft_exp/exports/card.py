"""The dataset card of an exported folder: README.md, with the front matter that `datasets` and the hub read."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from raft_exp.core.schema import config_dataclass
from raft_exp.exports.tables import HF, Table, file_name

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_SETTINGS = ("p", "num_distractors", "distractors", "cot", "constant_size", "no_gold_target")


@config_dataclass
class Card:
    """What a reader of the data should know of the study that it comes from."""

    study: str
    corpus: str
    source: str  # where the corpus's text comes from
    licence: str  # "" where nobody has said
    teacher: str
    prompt_mode: str
    seed: int
    recipes: dict[str, dict[str, Any]]  # the dataset settings of each raft dataset, by name


def card(about: Card, tables: list[Table], counts: Mapping[str, Mapping[str, int]], audits: Mapping[str, Any]) -> str:
    """README.md. `counts` are the rows by table and split, `audits` the audits of the datasets by name."""
    front = yaml.safe_dump(_front(about, tables, counts), sort_keys=False, allow_unicode=True)
    sections = [
        f"# {about.study}",
        "RAFT data (Retrieval-Augmented Fine-Tuning, [arXiv 2403.10131](https://arxiv.org/abs/2403.10131)), made with "
        "raft_exp: questions among passages of which only some rows hold the answer.",
        "## Tables",
        _table(("configuration", "split", "rows", "fields"), _tables(tables, counts)),
        f'```python\nfrom datasets import load_dataset\n\nload_dataset("THIS_FOLDER", "{tables[0].name}")\n```',
        "## How it was made",
        f"- Corpus: {about.corpus}. Teacher: {about.teacher}. Prompt mode: {about.prompt_mode}. Seed: {about.seed}.",
        *_recipes(about, audits),
        "## Source and licence",
        f"- Source: {about.source or 'not stated'}",
        f"- Licence: {about.licence or 'not stated; ask the owner of the source before you share this'}",
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _front(about: Card, tables: list[Table], counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    rows = max(sum(splits.values()) for splits in counts.values())
    size = next((name for limit, name in _SIZES if rows < limit), "n>1M")
    return {
        **({"license": about.licence} if about.licence else {}),
        "pretty_name": about.study,
        "task_categories": ["question-answering"],
        "size_categories": [size],
        "tags": ["raft", "rag"],
        "configs": [_configuration(table, place == 0) for place, table in enumerate(tables)],
    }


def _configuration(table: Table, first: bool) -> dict[str, Any]:
    files = [{"split": split, "path": file_name(table, split, HF).removeprefix(f"{HF}/")} for split in table.splits]
    return {"config_name": table.name, "data_files": files, **({"default": True} if first else {})}


def _tables(tables: list[Table], counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, ...]]:
    return [
        (f"`{table.name}`", split, f"{rows:,}", ", ".join(table.columns))
        for table in tables
        for split, rows in counts[table.name].items()
    ]


def _recipes(about: Card, audits: Mapping[str, Any]) -> list[str]:
    """One table of the settings and figures of each raft dataset; p and D in the paper's words."""
    lines = []
    for name, settings in about.recipes.items():
        found = audits[name]["splits"].get("train", {})
        shown = ", ".join(f"{field}={settings[field]}" for field in _SETTINGS)
        lines.append((name, shown, f"{found.get('rows', 0):,}", f"{found.get('with_gold', 0):,}"))
    return [_table(("dataset", "settings", "training rows", "with gold"), lines)] if lines else []


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    rows = [head, ("---",) * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
