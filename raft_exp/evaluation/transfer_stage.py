"""Stage `transfer`: grades the answers of arms to the test questions of another corpus, and compares them.

Each arm with its own weights is compared with the untrained arm that saw the same contexts. A negative difference means
that the training made the arm worse on that corpus.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.core.schema import KeyedWhenSet, Positive, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.metrics.graded import TOKENIZER
from raft_exp.evaluation.results import Comparison, TransferResult
from raft_exp.models.encoder import EncoderConfig
from raft_exp.prompts import ReplyFormat
from raft_exp.prompts.quotes import MIN_WORDS

if TYPE_CHECKING:
    from raft_exp.evaluation.scoring import ScoredArm

VERSION = 1  # raise it, like that of the report, when a metric changes its figures
TRANSFER = "transfer.json"


@config_dataclass
class TransferStage:
    """Settings of a transfer stage."""

    corpus: str  # `corpus.name` of the other corpus
    metrics: list[str]  # in addition to the corpus's own
    reply_format: ReplyFormat
    refusal: str  # the text of a refusal in the study
    arms: dict[str, dict[str, object]]  # arm -> {context, cot}
    against: dict[str, str]  # arm with weights of its own -> the untrained arm that it is compared with
    seed: Seed
    encoder: EncoderConfig | None  # for metrics that compare vectors of texts
    min_quote_words: KeyedWhenSet[Positive] = MIN_WORDS
    tokenizer: KeyedWhenSet[str] = TOKENIZER  # of BLEU


@stage("transfer", VERSION)
def transfer(
    config: TransferStage,
    *,
    test: Path,
    answers: Mapping[str, Path],
    out: Path,
    passages: Path | None = None,
    questions: Path | None = None,
) -> None:
    """Writes transfer.json (a `TransferResult`), counts.json and predictions/<arm>.jsonl.

    - `test`: folder of the other corpus's test rows.
    - `answers`: arm -> folder of an evaluate stage.
    - `passages`, `questions`: result folders of the stages `ingest` and `questions` of the other corpus; needed for
      metrics of quotes and of API calls.

    Raises DataError if there are no test rows.
    """
    from raft_exp.evaluation import scoring
    from raft_exp.evaluation.metrics import profile

    examples = list(read_jsonl(test / "rows.jsonl", Example))
    if not examples:
        raise DataError(f"{test / 'rows.jsonl'}: has no test questions; name a corpus with a test split")
    own = profile(config.corpus, config.metrics, tokenizer=config.tokenizer)
    arms = {
        name: scoring.score_arm(name, examples, read_jsonl(answers[name] / "answers.jsonl", Answer), grading)
        for name, grading in scoring.arm_gradings(config, own, passages, questions).items()
    }
    (out / "predictions").mkdir(parents=True, exist_ok=True)
    for name, arm in arms.items():
        write_jsonl(out / "predictions" / f"{name}.jsonl", arm.rows)
    metrics = [name for name in own.metrics if any(name in arm.observed for arm in arms.values())]
    result: TransferResult = {
        "corpus": config.corpus,
        "n": len(examples),
        "metrics": metrics,
        "arms": {
            name: scoring.summary(arm.observed, [*metrics, *scoring.REPLY_SHARES], config.seed)
            for name, arm in arms.items()
        },
        "comparisons": [row for metric in metrics for row in _comparisons(config, metric, arms)],
    }
    (out / TRANSFER).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "counts.json").write_text(
        json.dumps({"questions": len(examples), "arms": len(arms)}) + "\n", encoding="utf-8"
    )


def _comparisons(config: TransferStage, metric: str, arms: Mapping[str, "ScoredArm"]) -> Iterable[Comparison]:
    """Returns the comparisons in one metric: each arm minus its untrained arm, with Holm's correction over them."""
    from raft_exp.evaluation import scoring, statistics

    both = {a: b for a, b in config.against.items() if metric in arms[a].observed and metric in arms[b].observed}
    rows = [scoring.compared(metric, a, b, arms, config.seed) for a, b in both.items()]
    for row, p_value in zip(rows, statistics.holm([row["p_value"] for row in rows]), strict=True):
        row["p_value_holm"] = p_value
    return rows
