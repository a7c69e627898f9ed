"""Stage `report`: grades the replies of every arm, compares the arms, and writes figures and pages."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft_exp.core.audit import DatasetAudit, StudyAudit
from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.core.schema import KeyedWhenSet, Positive, Runtime, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.kl_stage import KL
from raft_exp.evaluation.long_references import typical_words
from raft_exp.evaluation.metrics import TOKENIZER, Reference
from raft_exp.evaluation.primary import PrimaryConfig, resolve
from raft_exp.evaluation.references_stage import read_references
from raft_exp.evaluation.results import ArmResult, Prediction, Results, ShownExamples
from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.evaluation.transfer_stage import TRANSFER
from raft_exp.models.encoder import EncoderConfig
from raft_exp.prompts import ReplyFormat
from raft_exp.prompts.quotes import MIN_WORDS
from raft_exp.reporting.audit import study_audit, write_study_audit
from raft_exp.reporting.length import lengths
from raft_exp.reporting.timings import AnswerTimings, Timings

if TYPE_CHECKING:
    from raft_exp.evaluation.metrics import Profile
    from raft_exp.evaluation.scoring import Grading, ScoredArm, TrainingFacts
    from raft_exp.evaluation.scoring.refusals import GradedTest

VERSION = 9

Losses = dict[str, list[tuple[int, float]]]  # column -> (step, loss)


@config_dataclass
class ReportStage:
    """The settings that change the report. The order of the arms is their order in the tables."""

    study: str  # the heading
    note: str  # shown before the figures
    corpus: str
    model: str
    seed: Seed
    metrics: list[str]  # in addition to the corpus's own
    encoder: EncoderConfig | None  # for metrics that need it
    reply_format: ReplyFormat  # the requested form of replies
    refusal: str  # the text of a refusal in this study
    conditions: dict[str, dict[str, object]]  # condition -> the evaluation settings that it changes
    arms: dict[str, dict[str, object]]  # arm -> {recipe, context, ...}
    settings: dict[str, object]  # shown under "How it was made"
    primary: KeyedWhenSet[PrimaryConfig] = PrimaryConfig()
    min_quote_words: KeyedWhenSet[Positive] = MIN_WORDS  # a quote of fewer words does not count as verbatim
    reference: KeyedWhenSet[Reference] = "answers"  # what metrics of wording compare replies with
    tokenizer: KeyedWhenSet[str] = TOKENIZER  # of BLEU
    labels: Runtime[str | None] = None  # a CSV file that corrects the figures of a judge; its content is keyed
    random_weights: KeyedWhenSet[bool] = False  # the model of the arms is untrained
    trainings: KeyedWhenSet[dict[str, str]] = field(default_factory=dict)  # trained arm -> its key in `adapters`
    # condition without gold -> the test with gold and otherwise equal contexts: "test", a condition, or "" for none
    without_gold: KeyedWhenSet[dict[str, str]] = field(default_factory=dict)


@stage("report", VERSION)
def report(
    config: ReportStage,
    *,
    test: Path,
    conditions: dict[str, Path],
    answers: dict[str, Path],
    datasets: dict[str, Path],
    adapters: dict[str, Path],
    out: Path,
    passages: Path | None = None,
    questions: Path | None = None,
    targets: Path | None = None,
    choices: Mapping[str, Path] | None = None,
    transfer: Mapping[str, Path] | None = None,
    kl: Mapping[str, Path] | None = None,
    gold_test: Path | None = None,
    citations: Mapping[str, Path] | None = None,
    references: Path | None = None,
    judgements: Mapping[str, Path] | None = None,
    judged_pairs: Mapping[str, Path] | None = None,
) -> None:
    """Writes results.json, timings.json, audit.json, the predictions, the pages and the CSV files.

    All paths are result folders of stages. The predictions are files `predictions/<arm>[@<condition>].jsonl`. Raises
    DataError if a test set is empty, has a question without an answer or has an id twice, if `gold_test` has other
    questions than `test`, and for labels that do not fit the study.

    - `test`: the test set of the study. `conditions`: condition -> its test set.
    - `gold_test`: the test questions with their gold passages alone, for arms with context=gold.
    - `answers`: `<arm>` or `<arm>@<condition>` -> its answers.
    - `datasets`: name of a training set -> its folder. `adapters`: name of a training or ready adapter -> its folder.
    - `passages`, `questions`: needed for metrics of supporting sentences and of API calls, and for slices by training
      data.
    - `targets`: the targets of a teacher model, whose audit is read.
    - `choices`: name of a choice -> the choice made on validation questions.
    - `transfer`: name of another corpus -> the graded answers to its questions.
    - `kl`: arm -> the measured KL(base || arm) on a general text.
    - `references`: the long texts that replies are compared with, unless `config.reference` is answers.
    - `judgements`: arm -> the judgements of its replies.
    - `judged_pairs`: `<a>|<b>` -> the judge's preferences between the replies of the arms a and b.
    - `citations`: arm -> the claims of its replies, and whether the cited passages support them.
    """
    from raft_exp.evaluation import scoring
    from raft_exp.reporting.citations import add_citations, add_invented_quotes, add_judged_citations
    from raft_exp.reporting.judge import add_judge
    from raft_exp.reporting.judge_corrected import add_corrected
    from raft_exp.reporting.page import write_pages
    from raft_exp.reporting.wording import wording

    examples = _examples(test / "rows.jsonl")
    facts = _training_facts(examples, questions, passages, datasets)
    long_references = read_references(references) if references else {}
    gradings = scoring.arm_gradings(config, _profile(config), passages, questions, long_references)
    grader = _Grader(gradings, answers, out)
    tested = _tested(config, examples, gold_test)
    results = _score(config, tested, examples, facts, grader)
    for name, training in config.trainings.items():
        if (counts := adapters[training] / "counts.json").exists():
            results["arms"][name]["supervised_tokens"] = _read_json(counts)["supervised_tokens"]
    for name in config.arms:
        if shown := _examples_shown(answers[name] / "counts.json"):
            results["arms"][name]["examples"] = shown
    results["conditions"] = {
        name: _condition(config, name, folder, facts, grader) for name, folder in conditions.items()
    }
    results["condition_settings"] = config.conditions
    if compared := wording(_profile(config), examples, long_references):
        results["wording"] = compared
    audit = study_audit(datasets, test, conditions, passages, questions, targets, gold_test, references)
    tests = {"test": audit["test"], **audit.get("conditions", {})}
    results["retrieval"] = {name: dataset["retrieval"] for name, dataset in tests.items() if "retrieval" in dataset}
    if config.conditions:
        results["lengths"] = lengths(tests)
    _add_special_tests(config, results, tests, grader, _gold_unknown(facts))
    scored = {name: grader.graded[name].arm.rows for name in config.arms}
    add_invented_quotes(results, config.arms, scored)
    add_judge(results, judgements or {}, judged_pairs or {}, scored, grader.save)
    if config.labels:
        add_corrected(results, Path(config.labels), judgements or {}, scored)
    add_citations(results, citations or {}, scored, grader.save)
    add_judged_citations(results, judgements or {}, config.arms, grader.graded)
    if choices:
        results["selection"] = {name: _read_json(folder / CHOICE) for name, folder in choices.items()}
    if transfer:
        results["transfer"] = {name: _read_json(folder / TRANSFER) for name, folder in transfer.items()}
    if kl:
        results["kl"] = {name: _read_json(folder / KL) for name, folder in kl.items()}
    losses = {name: _losses(folder / "metrics.csv") for name, folder in adapters.items()}
    _judge(config, results, audit, losses, typical_words(example.answers for example in examples))
    _write_json(out / "results.json", results)
    _write_json(out / "timings.json", _timings(answers))
    write_study_audit(out / "audit.json", audit)
    write_pages(
        out,
        results=results,
        audit=audit,
        losses=losses,
        study=config.study,
        note=config.note,
        arms=config.arms,
        settings=config.settings,
        test=test / "rows.jsonl",
    )


def _add_special_tests(
    config: ReportStage,
    results: Results,
    audits: Mapping[str, DatasetAudit],
    grader: "_Grader",
    gold_unknown: frozenset[str],
) -> None:
    """Adds the results of tests without gold and with false passages. `audits`: the audits of the tests, by name."""
    from raft_exp.reporting.special_tests import SpecialTests

    special = SpecialTests(grader.graded, _profile(config), config.seed, gold_unknown)
    if config.without_gold:
        results["abstention"] = special.abstention(results, config.without_gold, grader.save)
    if conflict := special.conflict(results, audits):
        results["conflict"] = conflict


def _examples_shown(counts: Path) -> ShownExamples | None:
    """Returns how many worked examples the prompts of an arm show; None for an arm without them."""
    figures = _read_json(counts) if counts.exists() else {}
    if "examples" not in figures:
        return None
    mean = figures["examples"] / figures["answers"]
    return {"mean": mean, "fewest": figures["fewest_examples"], "most": figures["most_examples"]}


def _examples(path: Path) -> list[Example]:
    """Returns the rows of a test set. Raises DataError for an empty file, a row without an answer, or a repeated id."""
    examples = list(read_jsonl(path, Example))
    if not examples:
        raise DataError(f"{path}: has no test questions; check corpus.test and evaluation.max_items")
    seen: set[str] = set()
    for example in examples:
        if not example.answers:
            raise DataError(
                f"{path}: question {example.id!r} has no reference answer; add an answer, or remove the question"
            )
        if example.id in seen:
            raise DataError(f"{path}: two rows have the id {example.id!r}; give each row its own id")
        seen.add(example.id)
    return examples


def _profile(config: ReportStage) -> "Profile":
    """Returns the scoring of the corpus, with the primary metric first."""
    from raft_exp.evaluation.metrics import profile

    own = profile(config.corpus, config.metrics, config.reference, config.tokenizer)
    first = [config.primary.metric] if config.primary.metric else []
    return replace(own, metrics=tuple(dict.fromkeys([*first, *own.metrics])))


def _with_conflict(profile: "Profile", examples: Sequence[Example]) -> "Profile":
    """Returns the scoring of a test. Contexts with false passages add a metric: how often a reply follows them."""
    from raft_exp.evaluation.metrics import FOLLOWS

    planted = any(example.planted for example in examples)
    return replace(profile, metrics=(*profile.metrics, FOLLOWS)) if planted else profile


def _training_facts(
    examples: list[Example], questions: Path | None, passages: Path | None, datasets: dict[str, Path]
) -> "dict[str, TrainingFacts]":
    from raft_exp.evaluation import scoring

    if questions is None or passages is None:
        return {}
    return scoring.training_facts((example.id for example in examples), questions, passages, datasets.values())


@dataclass(frozen=True)
class _Grader:
    """Grades an arm's answers to the test questions, and writes the scored answers as predictions."""

    gradings: "dict[str, Grading]"  # by arm
    answers: dict[str, Path]  # by label
    out: Path
    graded: "dict[str, GradedTest]" = field(default_factory=dict)  # by label

    def __call__(self, arm: str, label: str, examples: list[Example]) -> "ScoredArm":
        from raft_exp.evaluation import scoring
        from raft_exp.evaluation.scoring.refusals import GradedTest

        grading = self.gradings[arm]
        grading = replace(grading, profile=_with_conflict(grading.profile, examples))
        scored = scoring.score_arm(label, examples, read_jsonl(self.answers[label] / "answers.jsonl", Answer), grading)
        self.graded[label] = GradedTest(scored, examples)
        self.save(label, scored.rows)
        return scored

    def save(self, label: str, rows: Sequence[Prediction]) -> None:
        """Writes the predictions file of a label, i.e. of `<arm>` or `<arm>@<condition>`."""
        (self.out / "predictions").mkdir(parents=True, exist_ok=True)
        write_jsonl(self.out / "predictions" / f"{label}.jsonl", rows)


def _tested(config: ReportStage, examples: list[Example], gold_test: Path | None) -> dict[str, list[Example]]:
    """Returns the test rows of each arm. Raises DataError if `gold_test` has other questions, or another order."""
    alone = _examples(gold_test / "rows.jsonl") if gold_test else []
    if gold_test and [example.id for example in alone] != [example.id for example in examples]:
        raise DataError(f"{gold_test / 'rows.jsonl'}: has other questions than the test set; run the study again")
    return {name: alone if arm.get("context") == "gold" else examples for name, arm in config.arms.items()}


def _score(
    config: ReportStage,
    tested: Mapping[str, list[Example]],
    examples: list[Example],
    facts: "dict[str, TrainingFacts]",
    grader: _Grader,
) -> Results:
    """Returns the figures of the arms. `tested`: the test rows of each arm; `examples`: those of the study."""
    from raft_exp.evaluation import scoring

    profile = _with_conflict(_profile(config), examples)
    arms = {name: grader(name, name, tested[name]) for name in config.arms}
    unknown = _gold_unknown(facts)
    primary = resolve(config.primary, config.arms, profile)
    comparisons = scoring.comparisons(primary["arm"], arms, profile, config.seed, primary)
    return {
        "corpus": config.corpus,
        "model": config.model,
        "seed": config.seed,
        "overrides": [],
        "arms": {
            name: scoring.summaries({name: arm}, tested[name], profile, config.seed, unknown)[name]
            for name, arm in arms.items()
        },
        "comparisons": comparisons,
        "detectable": scoring.detectable(comparisons),
        "conditions": {},
        "slices": scoring.slices(examples, arms, profile, config.seed, facts),
        "baselines": scoring.baselines(examples, profile, config.seed),
        "classes": {name: classes for name, arm in arms.items() if (classes := scoring.classes(arm, profile))},
        "metrics": [name for name in profile.metrics if any(name in arm.observed for arm in arms.values())],
        "reference": primary["arm"],
        "normalisation": profile.normalize.name,
        "primary": primary,
        "verdict": "",
    }


def _judge(
    config: ReportStage, results: Results, audit: StudyAudit, losses: Mapping[str, Losses], words: float
) -> None:
    """Adds to `results` the verdict, the warnings, and the differences between the arms' settings.

    `words`: median number of words of the reference answers.
    """
    from raft_exp.reporting.contrasts import contrasts, other_pairs
    from raft_exp.reporting.verdict import verdict
    from raft_exp.reporting.warnings import Study, warnings

    steps = {name: curves["loss"][-1][0] for name, curves in losses.items() if curves.get("loss")}
    results["verdict"] = verdict(results, config.arms, config.random_weights)
    weights, without_gold = config.random_weights, config.without_gold
    results["warnings"] = warnings(
        Study(results, audit, config.arms, config.settings, steps, weights, without_gold, words)
    )
    results["contrasts"] = contrasts(results["reference"], config.arms, results.get("selection"))
    results["pairs"] = other_pairs(results["reference"], config.arms, results.get("selection"))


def _condition(
    config: ReportStage, condition: str, test: Path, facts: "dict[str, TrainingFacts]", grader: _Grader
) -> dict[str, ArmResult]:
    """Grades the answers under one condition; returns {arm: results}."""
    from raft_exp.evaluation import scoring

    examples = _examples(test / "rows.jsonl")
    names = [name for name in config.arms if f"{name}@{condition}" in grader.answers]
    arms = {name: grader(name, f"{name}@{condition}", examples) for name in names}
    profile = _with_conflict(_profile(config), examples)
    return scoring.summaries(arms, examples, profile, config.seed, _gold_unknown(facts))


def _gold_unknown(facts: "dict[str, TrainingFacts]") -> frozenset[str]:
    return frozenset(name for name, of_question in facts.items() if not of_question.names_gold)


def _timings(answers: dict[str, Path]) -> Timings:
    """Returns the timings of each evaluation. They have a file of their own, because they differ between runs."""
    arms = {}
    for name, folder in answers.items():
        if (folder / "timings.json").exists():
            timing = _read_json(folder / "timings.json")
            if number := timing.get("answers"):
                arms[name] = AnswerTimings(seconds_per_answer=round(timing["seconds"] / number, 6), answers=number)
    return {"arms": arms}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _losses(path: Path) -> Losses:
    """Returns {column: [(step, loss)]} of the loss columns; {} for a ready adapter, which has no metrics.csv."""
    curves: Losses = {}
    if not path.exists():
        return curves
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column in ("loss", "validation_loss"):
                value = float(row.get(column) or "nan")  # only some rows have a validation loss
                if math.isfinite(value):
                    curves.setdefault(column, []).append((int(row["step"]), value))
    return curves


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n", encoding="utf-8", newline="\n")
