"""Warnings about a study's datasets, such as cut prompts, leaks, and prompt lengths that reveal gold. One line each."""

from collections.abc import Iterator, Mapping

from raft_exp.core.audit import DatasetAudit, LengthTell, SplitAudit, StudyAudit
from raft_exp.corpora import split_units
from raft_exp.corpora.gold_search import guesses
from raft_exp.dataset.supply import EVALUATION_NAMES, SettingNames
from raft_exp.reporting.facts import main_split, section
from raft_exp.reporting.formats import percent
from raft_exp.reporting.leak_warnings import leak_warnings
from raft_exp.teachers import rejections

_CUT = 0.01  # share of cut prompts above which there is a warning
_TELL = 0.05  # distance of the AUC from 0.5 above which there is a warning
_FEWEST = 30  # rows with gold, and rows without; with fewer the AUC is not judged
_LOWER_D = ", or lower dataset.num_distractors"
_FEWER_TRAINED = {"retrieved": ", or lower dataset.k", "given": ""}  # context of training rows -> a further remedy
_FEWER_PASSAGES = {"retrieved": "evaluation.k", "gold_and_distractors": "evaluation.num_distractors"}


def dataset_warnings(audit: StudyAudit, settings: Mapping[str, object]) -> Iterator[str]:
    """Yields the warnings about the split, gold passages and test sets, about leaks, and about training sets.

    `settings`: the study's config by groups. Only the groups `evaluation` and `teacher` are read.
    """
    if "split" in audit:
        yield from filter(None, (split_units.words(audit["split"]), split_units.off_share(audit["split"])))
    yield from _searched_gold(audit)
    yield from _found_gold(audit)
    yield from _fewer_test_distractors(audit, section(settings, "evaluation"))
    yield from _cut_test_prompts(audit)
    yield from _unusable_targets(audit, section(section(settings, "teacher"), "gate"))
    yield from leak_warnings(audit)
    for name, dataset in audit["datasets"].items():
        yield from _fewer_training_distractors(name, dataset)
        split = dataset.get("splits", {}).get("train")
        if split:
            yield from _cut_training_prompts(name, dataset, split)
            yield from _telling_lengths(name, dataset, split)
            yield from _dropped_reasons(name, dataset, split)


def _searched_gold(audit: StudyAudit) -> Iterator[str]:
    """Warns of gold that a search guessed for questions without a document, and of many questions without gold."""
    gold = audit.get("gold")
    if not gold:
        return
    by_answer, in_document = gold.get("guessed_by_search", 0), gold.get("in_found_document", 0)
    if guessed := by_answer + in_document:
        yield (
            f"{guessed:,} of {gold['questions']:,} questions ({percent(guessed / gold['questions'])}%) name neither "
            f"gold passages nor a document. Their gold is a guess: {guesses(by_answer, in_document)}. Check some of "
            "them, or name the documents in the field 'document_id' of the questions."
        )
    if 2 * (lost := gold.get("left_out", 0)) >= gold["questions"]:
        yield (
            f"{lost:,} of {gold['questions']:,} questions ({percent(lost / gold['questions'])}%) are left out: none of "
            "the passages that a search found for them holds the answer word for word, or a third of the words of a "
            "long answer. The figures are about the other questions. Name the document of each question in the field "
            "'document_id'."
        )


def _found_gold(audit: StudyAudit) -> Iterator[str]:
    """Warns of gold passages that were assigned by similarity, and of questions with evidence in several passages."""
    gold = audit.get("gold")
    if gold and gold["closest"]:
        yield (
            f"The answers of {gold['closest']:,} of {gold['questions']:,} questions ({percent(gold['share_closest'])}%)"
            " stand in no passage of their document word for word. The passages most similar to question and answer "
            "(at most corpus.closest) are used as gold. Check some of them, or name the gold passages in the field "
            "'gold' of the questions."
        )
    if gold and (several := gold.get("several", 0)):
        beyond = gold.get("beyond_closest", 0)
        raised = f" {beyond:,} answers need more than corpus.closest passages: raise corpus.closest." if beyond else ""
        yield (
            f"The evidence of {several:,} of {gold['questions']:,} questions "
            f"({percent(gold.get('share_several', 0))}%) is in several passages: the passages that the file of "
            "questions names, or the most similar to each statement of the answer (at most corpus.closest). All of "
            f"them are gold, and the target quotes each.{raised}"
        )
    elif gold and (beyond := gold.get("beyond_closest", 0)):
        yield (
            f"{beyond:,} of {gold['questions']:,} answers have evidence in more than corpus.closest passages: raise "
            "corpus.closest, so that all evidence is gold."
        )
    if gold and (of_many := gold.get("of_many", 0)):
        yield (
            f"The answers of {of_many:,} of {gold['questions']:,} questions stand in several passages of their "
            "document. The passage most similar to question and answer is gold. The "
            f"{gold.get('also_answering', 0):,} other passages with the answer are neither gold nor distractors."
        )


def _fewer_test_distractors(audit: StudyAudit, evaluation: Mapping[str, object]) -> Iterator[str]:
    """Warns of test sets with fewer distractors than the settings require. `evaluation`: this group of the config."""
    changes = {name: section(section(evaluation, "conditions"), name) for name in audit.get("conditions", {})}
    tests = {"": audit["test"], **audit.get("conditions", {})}
    for name, dataset in tests.items():
        rows, fewer = main_split(dataset), sum(dataset.get("fewer_distractors", {}).values())
        if rows and fewer:
            names = SettingNames.of_condition(name, changes[name]) if name else EVALUATION_NAMES
            settings = {**evaluation, **changes.get(name, {})}
            under = f" under the condition {name}" if name else ""
            gold = " (plus one in place of each gold passage)" if settings.get("without_gold") else ""
            yield (
                f"{fewer:,} of {rows['rows']:,} test questions{under} have fewer distractors than "
                f"{names.num_distractors} requires{gold}: their contexts are easier than the settings say. "
                f"{_more_distractors(names, bool(settings.get('same_document')))}."
            )


def _fewer_training_distractors(name: str, dataset: DatasetAudit) -> Iterator[str]:
    """Warns of training and validation rows with fewer distractors than the settings require."""
    for split, fewer in dataset.get("fewer_distractors", {}).items():
        if fewer and split in ("train", "validation"):
            rows = dataset.get("splits", {})[split]["rows"]
            what, effect = {
                "train": ("training", "and the model trains on"),
                "validation": ("validation", "which is allowed for validation: the validation loss is measured on"),
            }[split]
            yield (
                f"{fewer:,} of {rows:,} {what} rows of {name} have fewer distractors than dataset.num_distractors "
                f"requires, {effect} shorter contexts than the settings say. Add documents, or lower "
                "dataset.num_distractors."
            )


def _more_distractors(names: SettingNames, same_document: bool) -> str:
    """Returns the remedies for missing distractors, as one sentence without a full stop."""
    documents = [] if same_document else [f"set {names.same_document}=true, where documents have several passages"]
    remedies = ["Add documents", f"lower {names.num_distractors}", *documents]
    return f"{', '.join(remedies[:-1])}, or {remedies[-1]}"


def _cut_test_prompts(audit: StudyAudit) -> Iterator[str]:
    gold = {"with gold alone: ": audit["gold_test"]} if "gold_test" in audit else {}
    tests = {"": audit["test"], **gold, **{f"under {name}: ": of for name, of in audit.get("conditions", {}).items()}}
    cut = {name: dataset for name, dataset in tests.items() if _is_cut(main_split(dataset))}
    if cut:
        shown = ", ".join(f"{name}{_figures(main_split(dataset))}" for name, dataset in cut.items())
        contexts = dict.fromkeys(dataset.get("context", "") for dataset in cut.values())
        settings = [_FEWER_PASSAGES[context] for context in contexts if context in _FEWER_PASSAGES]
        fewer = f", or show fewer passages ({', '.join(settings)})" if settings else ""
        yield (
            f"Test prompts whose passages were cut to fit {_limit(*cut.values())}: {shown}. "
            f"Raise model.max_length{fewer}."
        )


def _cut_training_prompts(name: str, dataset: DatasetAudit, split: SplitAudit) -> Iterator[str]:
    lost = split.get("rows_gold_lost", 0)
    if _is_cut(split):
        before, after = ((split["with_gold"] + more) / split["rows"] for more in (lost, 0))
        setting = "" if "context" in dataset else " (dataset.p)"
        gold = f" {percent(after)}% of the rows show their gold; before the cut {percent(before)}% did{setting}."
        yield (
            f"Training prompts of {name} whose passages were cut to fit {_limit(dataset)}: {_figures(split)}."
            f"{gold if lost else ''} Raise model.max_length{_FEWER_TRAINED.get(dataset.get('context', ''), _LOWER_D)}."
        )


def _telling_lengths(name: str, dataset: DatasetAudit, split: SplitAudit) -> Iterator[str]:
    tell = split.get("length_tell")
    if tell and _tells(tell):
        longer = "longer" if tell["auc"] > 0.5 else "shorter"
        equal = "Use distractors as long as the gold: change dataset.distractors, or use passages of one size"
        equal = "Use passages of one size" if "context" in dataset else equal
        cut = "Raise model.max_length: long prompts lost their gold to the cut"
        remedy = cut if split.get("rows_gold_lost") else equal
        yield (
            f"The length of a training prompt of {name} reveals whether it contains the gold: rows without gold are "
            f"{longer} (AUC {tell['auc']:.2f}; 0.50 is chance; {tell['without_gold']:,} rows without gold, "
            f"{tell['with_gold']:,} with it). {remedy}."
        )


def _tells(tell: LengthTell) -> bool:
    """Whether the AUC is significantly different from 0.5.

    The distance must exceed 0.05 and two standard deviations of the AUC under the null hypothesis. False for fewer than
    30 rows with gold, or without.
    """
    n, m = tell["with_gold"], tell["without_gold"]
    deviation: float = ((n + m + 1) / (12 * n * m)) ** 0.5
    return min(n, m) >= _FEWEST and abs(tell["auc"] - 0.5) > max(_TELL, 2 * deviation)


def _dropped_reasons(name: str, dataset: DatasetAudit, split: SplitAudit) -> Iterator[str]:
    if dropped := split.get("reasons_dropped", 0):
        more = "" if "context" in dataset else " or dataset.num_distractors"
        yield (
            f"{dropped:,} of {split['rows']:,} training rows of {name} have targets without reasoning, because "
            f"their prompts show no text to quote. Raise model.max_length{more}, or add documents."
        )


def _unusable_targets(audit: StudyAudit, gate: Mapping[str, object]) -> Iterator[str]:
    """Warns of questions that a teacher model gave no usable target. `gate`: the settings of the teacher's gate."""
    targets, references = audit.get("targets"), audit.get("references")
    lost = [rejections.lost_targets(targets, gate)] if targets else []
    lost += [rejections.lost_references(references, gate)] if references else []
    yield from filter(None, lost)


def _is_cut(split: SplitAudit | None) -> bool:
    """Whether more than 1% of the prompts were cut; False if the audit has no such count."""
    return split is not None and split.get("rows_cut", 0) > _CUT * split["rows"]


def _figures(split: SplitAudit | None) -> str:
    if split is None:
        return ""
    cut, rows, left = split.get("rows_cut", 0), split["rows"], split.get("median_text_left")
    lost = split.get("rows_gold_lost", 0)
    more = [f"in the median {percent(left)}% of the passages' text is left"] if left is not None else []
    more += [f"{lost:,} lost the evidence of their gold"] if lost else []
    return f"{percent(cut / rows)}% ({'; '.join([f'{cut:,} of {rows:,}', *more])})"


def _limit(*datasets: DatasetAudit) -> str:
    lengths = {dataset["max_length"] for dataset in datasets if "max_length" in dataset}
    return f"model.max_length={lengths.pop()}" if len(lengths) == 1 else "model.max_length"
