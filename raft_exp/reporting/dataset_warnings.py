"""What a reader must know about a study's data sets: cut prompts, leaks, lost gold, telling lengths. One line each."""

from collections.abc import Iterator, Mapping

from raft_exp.core.audit import DatasetAudit, LengthTell, SplitAudit, StudyAudit
from raft_exp.corpora import split_units
from raft_exp.dataset.supply import EVALUATION_NAMES, SettingNames
from raft_exp.reporting.facts import main_split, section
from raft_exp.reporting.formats import percent
from raft_exp.reporting.leak_warnings import leak_warnings

_CUT = 0.01  # share of the prompts
_TELL = 0.05  # distance of the AUC from 0.5
_FEWEST = 30  # rows of each kind
_FEWER_PASSAGES = {"retrieved": "evaluation.k", "gold_and_distractors": "evaluation.num_distractors"}


def dataset_warnings(audit: StudyAudit, settings: Mapping[str, object]) -> Iterator[str]:
    """The lines about the test sets, about leaks, then those about the training sets. `settings`: the study's groups
    of settings; `evaluation` is read.
    """
    if line := split_units.words(audit["split"]) if "split" in audit else "":
        yield line
    yield from _found_gold(audit)
    yield from _fewer_test_distractors(audit, section(settings, "evaluation"))
    yield from _cut_test_prompts(audit)
    yield from leak_warnings(audit)
    for name, dataset in audit["datasets"].items():
        yield from _fewer_training_distractors(name, dataset)
        split = dataset.get("splits", {}).get("train")
        if split:
            yield from _cut_training_prompts(name, dataset, split)
            yield from _telling_lengths(name, split)
            yield from _dropped_reasons(name, split)


def _found_gold(audit: StudyAudit) -> Iterator[str]:
    """How gold passages were found where the file of questions names documents, or several passages."""
    gold = audit.get("gold")
    if gold and gold["closest"]:
        yield (
            f"The answers of {gold['closest']:,} of {gold['questions']:,} questions ({percent(gold['share_closest'])}%)"
            " stand in no passage of their document word for word: the passages closest to question and answer (at "
            "most corpus.closest) count as their gold. Check some of them, or name passages in the questions' 'gold'."
        )
    if gold and (several := gold.get("several", 0)):
        beyond = gold.get("beyond_closest", 0)
        raised = f" {beyond:,} of the answers need more passages than that: raise corpus.closest." if beyond else ""
        yield (
            f"The evidence of {several:,} of {gold['questions']:,} questions "
            f"({percent(gold.get('share_several', 0))}%) is in several passages: those that the file names, or the "
            "closest to each statement of the answer (at most corpus.closest). All of them are gold, and the target "
            f"quotes each.{raised}"
        )
    elif gold and (beyond := gold.get("beyond_closest", 0)):
        yield (
            f"The statements of {beyond:,} of {gold['questions']:,} answers are closest to more passages than "
            "corpus.closest: raise it, so that all their evidence is gold."
        )
    if gold and (of_many := gold.get("of_many", 0)):
        yield (
            f"The answers of {of_many:,} of {gold['questions']:,} questions stand in several passages of their "
            f"document: the closest to question and answer is gold, and the {gold.get('also_answering', 0):,} others "
            "are neither gold nor distractors."
        )


def _fewer_test_distractors(audit: StudyAudit, evaluation: Mapping[str, object]) -> Iterator[str]:
    """Test sets whose contexts are easier than the settings say. `evaluation`: the study's settings."""
    changes = {name: section(section(evaluation, "conditions"), name) for name in audit.get("conditions", {})}
    tests = {"": audit["test"], **audit.get("conditions", {})}
    for name, dataset in tests.items():
        rows, fewer = main_split(dataset), sum(dataset.get("fewer_distractors", {}).values())
        if rows and fewer:
            names = SettingNames.of_condition(name, changes[name]) if name else EVALUATION_NAMES
            settings = {**evaluation, **changes.get(name, {})}
            under = f" under the condition {name}" if name else ""
            gold = " (and as many more as they have gold passages)" if settings.get("without_gold") else ""
            yield (
                f"{fewer:,} of {rows['rows']:,} test questions{under} have fewer distractors than "
                f"{names.num_distractors} demands{gold}: their contexts are easier than the settings say. "
                f"{_more_distractors(names, bool(settings.get('same_document')))}."
            )


def _fewer_training_distractors(name: str, dataset: DatasetAudit) -> Iterator[str]:
    """Training and validation rows with fewer distractors than the settings say."""
    for split, fewer in dataset.get("fewer_distractors", {}).items():
        if fewer and split in ("train", "validation"):
            rows = dataset.get("splits", {})[split]["rows"]
            what, effect = {
                "train": ("training", "and the model trains on"),
                "validation": ("validation", "which validation rows may: the validation loss is of"),
            }[split]
            yield (
                f"{fewer:,} of {rows:,} {what} rows of {name} have fewer distractors than dataset.num_distractors "
                f"demands, {effect} shorter contexts than the settings say. Add documents, or lower "
                "dataset.num_distractors."
            )


def _more_distractors(names: SettingNames, same_document: bool) -> str:
    """The changes with which more questions have all their distractors."""
    documents = [] if same_document else [f"set {names.same_document}=true, where documents have several passages"]
    remedies = ["Add documents", f"lower {names.num_distractors}", *documents]
    return f"{', '.join(remedies[:-1])}, or {remedies[-1]}"


def _cut_test_prompts(audit: StudyAudit) -> Iterator[str]:
    tests = {"": audit["test"], **{f"under {name}: ": of for name, of in audit.get("conditions", {}).items()}}
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
        gold = (
            f" Their gold is shown by {percent(after)}% of the rows, of {percent(before)}% before the cut (dataset.p)."
        )
        yield (
            f"Training prompts of {name} whose passages were cut to fit {_limit(dataset)}: {_figures(split)}."
            f"{gold if lost else ''} Raise model.max_length, or lower dataset.num_distractors."
        )


def _telling_lengths(name: str, split: SplitAudit) -> Iterator[str]:
    tell = split.get("length_tell")
    if tell and _tells(tell):
        longer = "longer" if tell["auc"] > 0.5 else "shorter"
        equal = "Use distractors as long as the gold: another dataset.distractors, or passages of one size"
        remedy = "Raise model.max_length: a prompt that lost its gold is long" if split.get("rows_gold_lost") else equal
        yield (
            f"The length of a training prompt of {name} tells whether it shows the gold: rows without gold are "
            f"{longer} (AUC {tell['auc']:.2f}, where 0.50 tells nothing; {tell['without_gold']:,} rows without gold, "
            f"{tell['with_gold']:,} with it). {remedy}."
        )


def _tells(tell: LengthTell) -> bool:
    """Whether the AUC is away from 0.5, by more than twice its standard deviation under no difference too."""
    n, m = tell["with_gold"], tell["without_gold"]
    deviation: float = ((n + m + 1) / (12 * n * m)) ** 0.5
    return min(n, m) >= _FEWEST and abs(tell["auc"] - 0.5) > max(_TELL, 2 * deviation)


def _dropped_reasons(name: str, split: SplitAudit) -> Iterator[str]:
    if dropped := split.get("reasons_dropped", 0):
        yield (
            f"{dropped:,} of {split['rows']:,} training rows of {name} teach the answer without its reasoning, as "
            "their prompts show no text to quote. Raise model.max_length or dataset.num_distractors, or add documents."
        )


def _is_cut(split: SplitAudit | None) -> bool:
    """Whether more than 1% of the prompts were cut; False for audits that do not count them."""
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
