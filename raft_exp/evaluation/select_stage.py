"""Stage `select`: chooses the value of a setting by the arms' scores on validation questions."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, read_jsonl
from raft_exp.core.schema import KeyedWhenSet, Positive, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.metrics.graded import TOKENIZER
from raft_exp.evaluation.results import CountedFigure, Summary
from raft_exp.evaluation.selection import choose
from raft_exp.models.encoder import EncoderConfig
from raft_exp.prompts import ReplyFormat
from raft_exp.prompts.quotes import MIN_WORDS

if TYPE_CHECKING:
    from raft_exp.evaluation.scoring import Grading

VERSION = 1  # raise it, like that of the report, when a metric changes its figures
CHOICE = "choice.json"


@config_dataclass
class SelectStage:
    """Settings of a select stage."""

    setting: str  # name of the setting whose value is chosen, e.g. trainer.learning_rate
    candidates: dict[str, Any]  # name -> value of the setting, as plain JSON; among equal candidates the first wins
    grid: bool  # the values are numbers in ascending order
    metric: str  # the metric that decides
    corpus: str  # `corpus.name`
    reply_format: ReplyFormat
    refusal: str  # the text of a refusal in the study
    arms: dict[str, dict[str, object]]  # the arms that answered with each candidate -> {context, cot, ...}
    seed: Seed
    encoder: EncoderConfig | None  # for metrics that compare vectors of texts
    tie_break: KeyedWhenSet[str | None] = None  # a second metric, which decides between candidates with equal figures
    min_quote_words: KeyedWhenSet[Positive] = MIN_WORDS  # a quote of fewer words does not count as verbatim
    tokenizer: KeyedWhenSet[str] = TOKENIZER  # of BLEU


@stage("select", VERSION)
def select(
    config: SelectStage,
    *,
    test: Path,
    answers: Mapping[str, Path],
    out: Path,
    payloads: Mapping[str, Path] | None = None,
    passages: Path | None = None,
    questions: Path | None = None,
) -> None:
    """Writes choice.json, and puts the files of the chosen candidate's payload into `out`.

    - `test`: folder of the validation rows.
    - `answers`: `<arm>@<candidate>` -> folder of an evaluate stage.
    - `payloads`: candidate -> result folder of a stage, such as a training. The files of the chosen candidate's folder
      are linked into `out`, so that later stages can read `out` in place of that folder.
    - `passages`, `questions`: result folders of the stages `ingest` and `questions`; needed for metrics of quotes and
      of API calls.

    Raises DataError if there are no validation rows.
    """
    examples = list(read_jsonl(test / "rows.jsonl", Example))
    if not examples:
        raise DataError(
            f"{test / 'rows.jsonl'}: has no validation questions, but the choice of {config.setting} needs them; add "
            "validation questions to the corpus, or make no choice (selection.learning_rates=null "
            "evaluation.prompts=as_written)"
        )
    gradings = _gradings(config, passages, questions)
    scored = {
        name: {
            arm: _summary(config, f"{arm}@{name}", examples, answers[f"{arm}@{name}"], grading)
            for arm, grading in gradings.items()
        }
        for name in config.candidates
    }
    figures = {name: _figures(arms, config.metric) for name, arms in scored.items()}
    ties = {
        name: fmean(arm["metrics"][config.tie_break]["value"] for arm in arms.values())
        for name, arms in scored.items()
        if config.tie_break
    }
    choice = choose(config.setting, config.metric, config.candidates, figures, config.grid, ties)
    if payload := (payloads or {}).get(choice["chosen"]):
        _link_files(payload, out)
    (out / CHOICE).write_text(json.dumps(choice, indent=1) + "\n", encoding="utf-8")


def _gradings(config: SelectStage, passages: Path | None, questions: Path | None) -> "dict[str, Grading]":
    from raft_exp.evaluation import scoring
    from raft_exp.evaluation.metrics import profile

    chosen_by = replace(profile(config.corpus), metrics=tuple(_metrics(config)), tokenizer=config.tokenizer)
    return scoring.arm_gradings(config, chosen_by, passages, questions)


def _metrics(config: SelectStage) -> list[str]:
    return [config.metric, *([config.tie_break] if config.tie_break else [])]


def _summary(config: SelectStage, label: str, examples: list[Example], answers: Path, grading: "Grading") -> Summary:
    from raft_exp.evaluation import scoring

    scored = scoring.score_arm(label, examples, read_jsonl(answers / "answers.jsonl", Answer), grading)
    return scoring.summary(scored.observed, _metrics(config), config.seed)


def _figures(arms: Mapping[str, Summary], metric: str) -> dict[str, CountedFigure]:
    return {name: {**summary["metrics"][metric], "n": summary["n"]} for name, summary in arms.items()}


def _link_files(source: Path, out: Path) -> None:
    """Puts all files of `source` except manifest.json into `out`: as hard links, or as copies where links fail."""
    for file in sorted(path for path in source.rglob("*") if path.is_file() and path.name != "manifest.json"):
        place = out / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)
