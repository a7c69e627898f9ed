"""Stage `targets`: the teacher writes a target for each training and validation question.

With `evaluated`, it writes targets for the questions of the evaluation instead. The evaluation compares the replies of
the models with these targets.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Question, Target, append_complete_lines, dumps, read_jsonl
from raft_exp.core.schema import KeyedWhenSet, config_dataclass
from raft_exp.core.screen import say
from raft_exp.core.stage import stage
from raft_exp.teachers import TEACHERS, TeacherConfig, extractive
from raft_exp.teachers.model import ModelTeacher
from raft_exp.teachers.target_questions import EvaluatedQuestions, target_questions

VERSION = 2
MODEL_VERSION = 3  # version of the stage with a teacher model; since 3, the gate recognises more refusals


@config_dataclass
class TargetsStage:
    """Settings that change the targets of a teacher without a model."""

    teacher: TeacherConfig
    evaluated: KeyedWhenSet[EvaluatedQuestions | None] = None


@stage("targets", VERSION, resumable=True)
def targets(config: TargetsStage, *, passages: Path, questions: Path, out: Path) -> None:
    """Appends a row for each question to targets.jsonl, and writes counts.json. Continues the file of a killed run.

    Raises DataError for a question without an answer, or with an empty one.
    """
    file = out / "targets.jsonl"
    done = append_complete_lines(file)
    chosen = partial(target_questions, questions, config.evaluated)
    total = sum(1 for _ in chosen())
    counts: Counter[str] = Counter()
    with file.open("a", encoding="utf-8", newline="\n") as lines:
        for target in track(_write(config, passages, islice(chosen(), done, None)), "targets", total, done):
            lines.write(dumps(target) + "\n")
    for target, question in zip(read_jsonl(file, Target), chosen(), strict=True):
        counts.update(targets=1, with_reason=int(bool(target.reason)))
        if config.teacher.name == "extractive" and extractive.unsupported(question):
            counts["closest_sentence"] += 1
    (out / "counts.json").write_text(json.dumps(dict(sorted(counts.items()))), encoding="utf-8")


@config_dataclass
class ModelTargetsStage:
    """Settings that change the targets of a teacher model."""

    teacher: ModelTeacher
    weights: dict[str, str]  # content hashes of a local model
    evaluated: KeyedWhenSet[EvaluatedQuestions | None] = None


@stage("targets", MODEL_VERSION, resumable=True)
def model_targets(config: ModelTargetsStage, *, passages: Path, questions: Path, out: Path) -> None:
    """Writes targets.jsonl and quarantine.jsonl (both in the order of the questions), audit.json and counts.json.

    The teacher's replies are stored in its ledger, so that a run after a kill requests only the missing replies. Raises
    BudgetError where the teacher's budget is used up, ServerError where requests get no usable reply, and DataError
    where too few questions have a target.
    """
    from raft_exp.tasks.model import cleaner, identity
    from raft_exp.tasks.runner import TaskRunner
    from raft_exp.teachers.answers import TargetWriting

    job = TargetWriting(config.teacher, questions, passages, out, cleaner(config.teacher), config.evaluated)
    for line in job.remarks():
        say(f"warning: {line}", error=True)
    TaskRunner(config.teacher, identity(config.teacher, config.weights), job, out).settle()
    job.finish()


def _write(config: TargetsStage, passages: Path, questions: Iterable[Question]) -> Iterator[Target]:
    collection = Passages(passages)
    write = TEACHERS[config.teacher.name]
    for question in questions:
        if not question.answers:
            raise DataError(
                f"question {question.id!r} has no answer, and teacher={config.teacher.name} does not write answers; "
                "add an answer, remove the question, or use a teacher model, e.g. teacher=openai (for PubMedQA: set "
                "corpus.train to a subset with answers)"
            )
        target = write(config.teacher, question, [collection[collection.find(name)] for name in question.gold])
        if not target.answer.strip():
            raise DataError(f"question {question.id!r}: its answer is empty; add an answer, or remove the question")
        yield target
