"""Scores on real TriviaQA questions with made replies, row by row against a computation of the published script."""

import random
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from raft_exp.core.records import Answer, Example
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import Grading, score_arm
from tests.helpers.natural_questions import read


def plain(text: str) -> str:
    """The published normalisation, one step at a time."""
    text = text.replace("_", " ").lower()
    marks = {*string.punctuation, *"‘’´`"}
    text = "".join(" " if letter in marks else letter for letter in text)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def overlap(prediction: str, answer: str) -> float:
    said, right = plain(prediction).split(), plain(answer).split()
    common = sum((Counter(said) & Counter(right)).values())
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return 2 * precision * recall / (precision + recall)


def made(answers: list[str], draw: random.Random) -> str:
    """A right, nearly right or wrong reply, or an alias in an odd spelling."""
    answer = draw.choice(answers)
    return draw.choice(
        [
            answer,
            f"  The {answer.upper()}! ",
            answer.replace(" ", "_"),
            answer.replace(" ", "-"),
            "‘" + answer + "’",
            f"{answer} `or so´",
            answer[:-1],
            answer.replace("'", ""),
            f"It is {answer}, I think",
            draw.choice(["yes", "no", "no no", "A the an", "é", "!?", "AC/DC"]),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_row_equals_the_published_script(test_data: Path, seed: int) -> None:
    rows = read(test_data / "triviaqa" / "flashrag" / "test.jsonl.gz")
    answers = [row["golden_answers"] for row in rows] + [["No", "No Country for Old Men"], ["AC/DC"], ["The The"]]
    draw = random.Random(seed)
    said = [made(aliases, draw) for aliases in answers]
    said[-3:] = ["no country", "ac dc", "AC_DC"]
    examples = [Example(str(n), "?", aliases, [], False, "", False, [], "test") for n, aliases in enumerate(answers)]
    replies = [Answer(str(n), f"##Answer: {text}", False, 1, 1) for n, text in enumerate(said)]
    arm = score_arm("made", examples, replies, Grading(profile("triviaqa"), False, "paper"))
    exact = [any(plain(text) == plain(alias) for alias in aliases) for text, aliases in zip(said, answers, strict=True)]
    f1 = [max(overlap(text, alias) for alias in aliases) for text, aliases in zip(said, answers, strict=True)]
    assert [bool(value) for value in arm.observed["exact_match"]] == exact
    assert arm.observed["f1"] == pytest.approx(f1)
    assert len(said) > 790
    assert 200 < sum(exact) < len(said) - 200
    assert 0 < f1[-3] < 1, "in TriviaQA's F1, no is a word like others"
