"""Formats the audit of a study as tables, in one view for each dataset and each kind of a teacher model's replies."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from raft_exp.core.audit import DatasetAudit, GoldPlace, ReplyAudit, SplitAudit, Spread, StudyAudit
from raft_exp.reporting import audit_words as words
from raft_exp.reporting.facts import audit_sections, facts, text
from raft_exp.reporting.formats import percent

NONE = "\N{EN DASH}"
_NO_DISTRACTORS = "Candidates that were not used as distractors"
_PLACES = 12  # places of the gold, or sizes of contexts, that a cell lists
_KNOWN = {
    "splits",
    "overlap",
    "passed_over",
    "fewer_distractors",
    "refusals",
    "conflicts",
    "context",
    "gold_in_context",
    "gold_found",
    "retrieval",
    "max_length",
}


@dataclass(frozen=True)
class AuditTable:
    """A table with one column of labels and one column for each split.

    `zeros`: labels of the counts that are 0 in all splits. These counts have no row.
    """

    columns: list[str]
    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    zeros: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AuditView:
    """The audit of a dataset, or of a teacher model's replies: tables, followed by lines of text (`notes`)."""

    heading: str
    tables: list[AuditTable]
    notes: list[str]
    split: SplitAudit | None = None  # the split to draw


def audit_views(audit: StudyAudit) -> Iterator[AuditView]:
    """Yields the views of the training sets, the test set, the data set's records, and a teacher model's replies."""
    data = [*audit["datasets"].values(), audit["test"], *([audit["gold_test"]] if "gold_test" in audit else [])]
    for section, dataset in zip(audit_sections(audit), data, strict=False):
        tables = [table for table in (_splits(dataset), _overlap(dataset)) if table.rows or table.zeros]
        yield AuditView(section.heading[:1].upper() + section.heading[1:], tables, list(_notes(dataset)), section.split)
    if "records" in audit:
        rows = [(words.RECORDS.get(name, words.in_words(name)), [text(n)]) for name, n in audit["records"].items()]
        yield AuditView("The data set's records", [AuditTable(["number"], rows)], [])
    if "questions" in audit:
        written, checked = audit["questions"]["written"], audit["questions"].get("checked")
        replies = {"written": written} | ({"checked": checked} if checked else {})
        count = f"Questions: {_listed(audit['questions']['questions'])}."
        yield AuditView("The teacher's questions", [_replies(replies)], [count, *_reasons(replies)])
    if "targets" in audit:
        replies = {"targets": audit["targets"]}
        yield AuditView("The teacher's targets", [_replies(replies)], list(_reasons(replies)))
    if "references" in audit:
        replies = {"texts": audit["references"]}
        yield AuditView("The teacher's texts for the evaluation", [_replies(replies)], list(_reasons(replies)))


def _splits(dataset: DatasetAudit) -> AuditTable:
    splits = dataset.get("splits", {})
    table = AuditTable([words.SPLITS.get(name, name) for name in splits])
    cells: list[tuple[str, Callable[[SplitAudit], str]]] = [
        ("rows", lambda split: f"{split['rows']:,}" if "rows" in split else NONE),
        ("... of these, with gold", _with_gold),
        ("passages in a prompt with gold", lambda split: _sizes(split.get("passages_with_gold", {}))),
        ("passages in a prompt without gold", lambda split: _sizes(split.get("passages_without_gold", {}))),
        ("gold passages at place 1, 2, ... (by chance)", lambda split: _gold_places(split.get("gold_places", {}))),
        ("tokens of a prompt", lambda split: _spread(split.get("prompt_tokens"))),
        ("tokens of a target", lambda split: _spread(split.get("completion_tokens"))),
        ("prompt length as a predictor of missing gold (AUC; 0.50 is chance)", _length_tell),
        ("share of the text that is left in shortened passages (median)", _text_left),
    ]
    for label, cell in cells:
        _add(table, label, [cell(split) for split in splits.values()])
    for count, label in words.ROW_COUNTS.items():
        counts = [split.get(count) for split in splits.values()]
        verbatim = [{**split}.get(f"{count}_verbatim") for split in splits.values()]
        _add_counts(table, label, counts, ["" if value is None else f" ({value:,})" for value in verbatim])
    fewer = dataset.get("fewer_distractors", {})
    _add_counts(table, "rows with fewer distractors than the settings say", [fewer.get(name) for name in splits])
    _add_counts(table, "rows that learn to refuse", [dataset.get("refusals", {}).get(name) for name in splits])
    conflicts = [dataset.get("conflicts", {}).get(name, {}) for name in splits]
    for key, label in {"planted": "rows with a false passage", **words.NO_FALSE_PASSAGE}.items():
        _add_counts(table, label, [counts.get(key) for counts in conflicts])
    return table


def _overlap(dataset: DatasetAudit) -> AuditTable:
    """Returns the table of held-out questions, answers and passages that also occur in the training data."""
    overlap = dataset.get("overlap", {})
    table = AuditTable([f"{name} questions: overlap with training" for name in overlap])
    for key, label in words.OVERLAP.items():
        _add_counts(table, label, [counts.get(key) for counts in overlap.values()])
    return table


def _replies(replies: Mapping[str, ReplyAudit]) -> AuditTable:
    table = AuditTable(list(replies))
    for key, label in words.REPLIES.items():
        values = [{**audit}.get(key) for audit in replies.values()]
        _add(table, label, [NONE if value is None else text(value) for value in values])
    return table


def _reasons(replies: Mapping[str, ReplyAudit]) -> Iterator[str]:
    for name, audit in replies.items():
        for what, counts in (("not usable", audit["reasons"]), ("questions left out", audit.get("dropped", {}))):
            if counts:
                yield f"{name}, {what}: {_listed(counts)}."


def _notes(dataset: DatasetAudit) -> Iterator[str]:
    if passed := {name: count for name, count in dataset.get("passed_over", {}).items() if count}:
        reasons = [f"{count:,} {words.PASSED_OVER.get(name, words.in_words(name))}" for name, count in passed.items()]
        what = "Passages that are in no context" if "gold_in_context" in dataset else _NO_DISTRACTORS
        yield f"{what}: {', '.join(reasons)}."
    if "context" in dataset:
        yield f"Contexts: {words.CONTEXTS.get(dataset['context'], dataset['context'])}."
    for split, rows in dataset.get("gold_in_context", {}).items():
        whole, part, none = (f"{percent(rows[name] / sum(rows.values()))}%" for name in ("whole", "part", "none"))
        yield (
            f"Of the {words.SPLITS.get(split, split)}, {whole} contain all gold passages of their question, {part} a "
            f"part of them, and {none} none."
        )
    if found := dataset.get("gold_found"):
        yield (
            f"{percent(found['all_gold'])}% of the prompts contain all gold passages of their question. "
            f"{percent(found['recall'])}% of all gold passages are in a prompt."
        )
    if "max_length" in dataset:
        yield f"Prompt and reply together have at most {dataset['max_length']:,} tokens (model.max_length)."
    for name, value in facts({key: value for key, value in dataset.items() if key not in _KNOWN}):
        yield f"{words.in_words(name)}: {value}"


def _add(table: AuditTable, label: str, cells: list[str]) -> None:
    if any(cell != NONE for cell in cells):
        table.rows.append((label, cells))


def _add_counts(table: AuditTable, label: str, counts: list[int | None], more: list[str] | None = None) -> None:
    """Adds a row of counts. If all counts are 0, adds the label to `table.zeros` instead.

    `more`: a text to append to each count.
    """
    if any(counts):
        behind = more or [""] * len(counts)
        cells = [NONE if count is None else f"{count:,}{end}" for count, end in zip(counts, behind, strict=True)]
        table.rows.append((label, cells))
    elif any(count is not None for count in counts):
        table.zeros.append(label)


def _with_gold(split: SplitAudit) -> str:
    return f"{split['with_gold']:,} ({percent(split['share_with_gold'])}%)" if "with_gold" in split else NONE


def _sizes(rows: Mapping[str, int]) -> str:
    """Formats {number of passages: number of rows}; more than 12 different numbers of passages as a range."""
    if len(rows) > _PLACES:
        return f"{min(map(int, rows))} to {max(map(int, rows))}"
    return ", ".join(f"{size} ({count:,} rows)" for size, count in rows.items()) or NONE


def _gold_places(places: Mapping[str, GoldPlace]) -> str:
    shown = [f"{place['found']:,} ({place['expected']:,.0f})" for place in list(places.values())[:_PLACES]]
    return ", ".join([*shown, *(["..."] if len(places) > _PLACES else [])]) or NONE


def _spread(spread: Spread | None) -> str:
    if spread is None or not spread.get("max", 1):  # test rows have no target
        return NONE
    return f"{spread['min']:,} to {spread['max']:,}, median {spread['median']:,g}"


def _length_tell(split: SplitAudit) -> str:
    return f"{split['length_tell']['auc']:.2f}" if "length_tell" in split else NONE


def _text_left(split: SplitAudit) -> str:
    return f"{percent(split['median_text_left'])}%" if "median_text_left" in split else NONE


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {words.in_words(name)}" for name, count in counts.items())
