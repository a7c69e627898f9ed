"""Stage `references`: the long texts that metrics of wording compare replies with (`evaluation.reference`).

The stage is cheap and runs before anything is trained, so that a study without such texts ends early.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, Target, read_jsonl, read_rows, write_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation import long_text

VERSION = 1
REFERENCES, AUDIT = "references.jsonl", "audit.json"


@config_dataclass
class ReferencesStage:
    """The settings of the stage."""

    reference: Literal["long_answer", "target"]
    split: Literal["test", "validation"]  # the questions of the evaluation
    closed: bool  # the answers are labels, which are no part of the texts


@stage("references", VERSION)
def references(config: ReferencesStage, *, questions: Path, out: Path, targets: Path | None = None) -> None:
    """Writes references.jsonl ({id, text} of each question that has a text) and counts.json.

    `targets`: result folder of the stage `targets` for these questions, with `reference=target`. Its audit is copied.
    Raises DataError if the split has questions, but none of them has a text.
    """
    of_split = [
        question for question in read_jsonl(questions / "questions.jsonl", Question) if question.split == config.split
    ]
    if config.reference == "long_answer":
        texts = {question.id: long_text.plain(question.explanation) for question in of_split}
    else:
        assert targets is not None, "the texts are those of the teacher"
        written = read_jsonl(targets / "targets.jsonl", Target)
        texts = {target.id: long_text.of_target(target, config.closed) for target in written}
        if (targets / AUDIT).exists():
            shutil.copyfile(targets / AUDIT, out / AUDIT)
    present = {name: text for name, text in texts.items() if text}
    if of_split and not present:
        raise DataError(_nothing(config, len(of_split)))
    write_references(out, present)
    counts = {"questions": len(of_split), "references": len(present)}
    (out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")


def _nothing(config: ReferencesStage, count: int) -> str:
    start = f"evaluation.reference: got {config.reference!r}, but none of the {count:,} {config.split} questions has"
    if config.reference == "long_answer":
        return (
            f"{start} a long answer (PubMedQA has one; in a file of questions it is the field explanation); use "
            "evaluation.reference=answers, or target with a teacher model (teacher=openai)"
        )
    return (
        f"{start} a text of the teacher that is longer than its label; use a teacher that writes reasoning "
        "(teacher=openai, vllm or transformers), or evaluation.reference=answers"
    )


def write_references(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes references.jsonl. `texts`: question id -> text."""
    write_jsonl(folder / REFERENCES, ({"id": name, "text": text} for name, text in texts.items()))


def read_references(folder: Path) -> dict[str, str]:
    """Returns question id -> text, from the result folder of the stage."""
    return {str(row["id"]): str(row["text"]) for row in read_rows(folder / REFERENCES)}
