"""Scores on real NQ-open questions with made predictions, row by row against a plain computation of what was published:
the README of NQ-open (NFD, then SQuAD's normalisation) and lost-in-the-middle's best_subspan_em.
"""

import json
import random
import re
import string
import unicodedata
from pathlib import Path

import pytest

from raft_exp.core.records import Answer, Example
from raft_exp.evaluation.metrics import METRICS, profile
from raft_exp.evaluation.scoring import Grading, score_arm


def plain(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces: one step at a time."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def expected(prediction: str | None, answers: list[str]) -> tuple[bool, bool]:
    """Exact match and substring match; a question without a reply is wrong."""
    if prediction is None:
        return False, False
    nfd = [plain(unicodedata.normalize("NFD", text)) for text in (prediction, *answers)]
    return nfd[0] in nfd[1:], any(plain(answer) in plain(prediction) for answer in answers)


def made(answers: list[str], draw: random.Random) -> str | None:
    """A right, nearly right, wrong, empty or missing prediction."""
    answer = draw.choice(answers)
    return draw.choice(
        [
            answer,
            f"  The {answer.upper()}! ",
            unicodedata.normalize("NFD", answer),
            unicodedata.normalize("NFC", answer),
            f"It is {answer}, I think",
            f"x{answer}y",
            answer[:-1],
            answer.replace(" ", "\u00a0"),
            "“" + answer + "”",
            draw.choice(["yes", "no", "know", "the", "", "é", "\u202e", "!?"]),
            None,
        ]
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_every_row_equals_the_published_definition(test_data: Path, seed: int) -> None:
    file = test_data / "natural_questions" / "nq_open" / "NQ-open.dev.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows.append({"question": "accents", "answer": ["Beyonc\u00e9", "\u00c5land"]})
    draw = random.Random(seed)
    said = [made(row["answer"], draw) for row in rows]
    examples = [
        Example(str(n), row["question"], row["answer"], [], False, "", False, [], "test") for n, row in enumerate(rows)
    ]
    replies = [Answer(str(n), f"##Answer: {text}", False, 1, 1) for n, text in enumerate(said) if text is not None]
    arm = score_arm("made", examples, replies, Grading(profile("natural_questions"), False, "paper"))
    wanted = [
        # what is parsed from a reply stands without the white space around it
        expected(None if text is None else text.strip(), row["answer"])
        for text, row in zip(said, rows, strict=True)
    ]
    assert [bool(value) for value in arm.observed["exact_match"]] == [exact for exact, _ in wanted]
    assert [bool(value) for value in arm.observed["best_subspan_em"]] == [inside for _, inside in wanted]
    assert len(wanted) == 1799
    assert 300 < sum(exact for exact, _ in wanted) < sum(inside for _, inside in wanted) < 1700


def test_the_profile() -> None:
    assert profile("natural_questions").metrics[0] == "exact_match"
    assert "best_subspan_em" in profile("natural_questions").metrics
    assert METRICS["best_subspan_em"].share
