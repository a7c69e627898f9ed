"""The dataset card of an exported folder: a README.md with YAML front matter for `datasets` and the hub."""

from collections.abc import Mapping, Sequence

import yaml

from raft_exp.core.audit import DatasetAudit
from raft_exp.core.schema import config_dataclass
from raft_exp.exports.tables import HF, Table, file_name

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_SETTINGS = ("p", "num_distractors", "distractors", "cot", "constant_size", "no_gold_target")
_OF_CONTEXT = ("context", "k", "cot", "no_gold_target")  # of data sets with retrieved or published contexts


@config_dataclass
class Card:
    """The facts about the study that the dataset card states."""

    study: str
    corpus: str
    source: str  # of the corpus
    licence: str  # "": unknown
    teacher: str
    prompt_mode: str
    seed: int
    recipes: dict[str, dict[str, object]]  # dataset name -> settings, for each RAFT dataset


def card(
    about: Card, tables: list[Table], counts: Mapping[str, Mapping[str, int]], audits: Mapping[str, DatasetAudit]
) -> str:
    """Returns the text of README.md.

    `counts`: table -> split -> number of rows. `audits`: dataset name -> audit.
    """
    front = yaml.safe_dump(_front(about, tables, counts), sort_keys=False, allow_unicode=True)
    sections = [
        f"# {about.study}",
        "RAFT data (Retrieval-Augmented Fine-Tuning, [arXiv 2403.10131](https://arxiv.org/abs/2403.10131)), made with "
        "raft_exp: each row has a question and passages; in some rows no passage holds the answer.",
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


def _front(about: Card, tables: list[Table], counts: Mapping[str, Mapping[str, int]]) -> dict[str, object]:
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


def _configuration(table: Table, first: bool) -> dict[str, object]:
    files = [{"split": split, "path": file_name(table, split, HF).removeprefix(f"{HF}/")} for split in table.splits]
    return {"config_name": table.name, "data_files": files, **({"default": True} if first else {})}


def _tables(tables: list[Table], counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, ...]]:
    return [
        (f"`{table.name}`", split, f"{rows:,}", ", ".join(table.columns))
        for table in tables
        for split, rows in counts[table.name].items()
    ]


def _recipes(about: Card, audits: Mapping[str, DatasetAudit]) -> list[str]:
    """Returns a Markdown table with the settings and the training rows of each RAFT dataset; [] if there is none."""
    lines = []
    for name, settings in about.recipes.items():
        train = audits[name]["splits"].get("train")
        names = _OF_CONTEXT if "context" in settings else _SETTINGS
        shown = ", ".join(f"{field}={_value(settings[field])}" for field in names if field in settings)
        rows, with_gold = (train["rows"], train["with_gold"]) if train else (0, 0)
        lines.append((name, shown, f"{rows:,}", f"{with_gold:,}"))
    return [_table(("dataset", "settings", "training rows", "with gold"), lines)] if lines else []


def _value(value: object) -> str:
    """Formats a setting as it is written in YAML, such as {min: 0, max: 8}."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {part}' for name, part in value.items())}}}"
    return str(value)


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    rows = [head, ("---",) * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
