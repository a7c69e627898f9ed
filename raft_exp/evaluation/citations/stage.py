"""Stage `citations`: decides for each claim in an arm's replies whether its cited passages support it.

It runs with `evaluation.nli`, for each arm whose prompt shows passages and asks for quotes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from raft_exp.core.progress import track
from raft_exp.core.records import Answer, Example, append_complete_lines, dumps, read_jsonl, read_rows
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.evaluation.citations.claims import ReplySettings, claims_of
from raft_exp.evaluation.citations.support import CitedClaim, read
from raft_exp.evaluation.results import ClaimRow
from raft_exp.models.nli import Entails, NliConfig, load
from raft_exp.prompts import ReplyFormat

VERSION = 1
CITATIONS = "citations.jsonl"
# Number of replies whose claims share batches. It is constant, so that the batches have the same texts after a kill.
# The other texts of a batch change the last bits of a score.
_SLICE = 64


class CitationsRow(TypedDict):
    """One row of citations.jsonl: a reply with its claims. A reply that declines to answer has none."""

    id: str
    claims: list[ClaimRow]
    cut: NotRequired[int]  # number of texts that were too long for the model; absent in rows made from predictions


@config_dataclass
class CitationsStage:
    """Settings that change the decisions."""

    nli: NliConfig
    reply_format: ReplyFormat  # the requested form of replies
    refusal: str  # the text of a refusal in this study
    min_quote_words: int  # a quote of fewer words cites no passage


@stage("citations", VERSION, resumable=True)
def citations(config: CitationsStage, *, test: Path, answers: Path, out: Path) -> None:
    """Writes citations.jsonl, a `CitationsRow` for each answered question, and counts.json. Continues a killed run.

    `test`: folder of the test rows. `answers`: folder of the arm's evaluate stage. Raises ModelError where the model
    fails.
    """
    replies = list(_replies(test, answers))
    done = _whole_slices(out / CITATIONS)
    if done < len(replies):
        entails = load(config.nli)
        settings = ReplySettings(config.reply_format, config.refusal, config.min_quote_words)
        rest = iter(replies[done:])
        slices = iter(lambda: list(islice(rest, _SLICE)), [])
        with (out / CITATIONS).open("a", encoding="utf-8", newline="\n") as file:
            for part in track(slices, "checking citations", -(-len(replies) // _SLICE), done // _SLICE):
                file.writelines(dumps(row) + "\n" for row in _rows(part, settings, entails))
                file.flush()
    (out / "counts.json").write_text(json.dumps(_counts(out)) + "\n", encoding="utf-8")


def _replies(test: Path, answers: Path) -> Iterator[tuple[Example, str]]:
    """Yields the answered test questions with their replies, in the order of the test rows."""
    raw = {answer.id: answer.raw for answer in read_jsonl(answers / "answers.jsonl", Answer)}
    for row in read_jsonl(test / "rows.jsonl", Example):
        if row.id in raw:
            yield row, raw[row.id]


def _whole_slices(path: Path) -> int:
    """Removes the rows of an incomplete slice, which a killed run may leave. Returns the number of rows that remain."""
    path.touch()
    append_complete_lines(path)
    lines = path.read_bytes().splitlines(keepends=True)
    complete = len(lines) // _SLICE * _SLICE
    path.write_bytes(b"".join(lines[:complete]))
    return complete


def _rows(
    replies: Sequence[tuple[Example, str]], settings: ReplySettings, entails: Entails
) -> Iterator[Mapping[str, object]]:
    """Yields the rows of one slice."""
    cited = [
        [CitedClaim(claim, row.context) for claim in claims_of(raw, row.question, row.context, settings)]
        for row, raw in replies
    ]
    read([claim for claims in cited for claim in claims], entails)
    for (row, _), claims in zip(replies, cited, strict=True):
        yield {"id": row.id, "claims": list(map(_row, claims)), "cut": sum(claim.cut for claim in claims)}


def _row(cited: CitedClaim) -> ClaimRow:
    claim, ids = cited.claim, [passage.id for passage in cited.context]
    return {
        "claim": claim.text,
        "answer": claim.answer,
        "passages": [ids[place] for place in claim.passages],
        "supporting": [ids[place] for place in cited.supporting],
        "supported": cited.supported,
    }


def read_citations(folder: Path) -> Iterator[CitationsRow]:
    """Yields the rows of a result folder of this stage."""
    rows: Iterator[Any] = read_rows(folder / CITATIONS)
    yield from rows


def _counts(folder: Path) -> dict[str, int]:
    rows = list(read_citations(folder))
    claims = [claim for row in rows for claim in row["claims"]]
    return {
        "replies": len(rows),
        "claims": len(claims),
        "citations": sum(len(claim["passages"]) for claim in claims),
        "cut": sum(row.get("cut", 0) for row in rows),
    }
