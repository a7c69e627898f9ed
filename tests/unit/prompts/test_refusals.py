"""Which answers decline to answer."""

import gzip
import json
from pathlib import Path

import pytest

from raft_exp.prompts.refusals import abstained

REFUSAL = "The passages do not hold the answer."


@pytest.mark.parametrize(
    "said",
    [
        REFUSAL,
        "the passages do not hold the answer",
        "I don't know.",
        "I don’t know",
        "Sorry, I do not know the answer.",
        "I cannot answer this from the passages.",
        "I'm not sure.",
        "We cannot tell",
        "The answer cannot be determined from the passages.",
        "It can't be answered from the given context.",
        "cannot be answered from the passages",
        "The question is not answerable.",
        "The passages don't mention it.",
        "The given context does not provide this information.",
        "None of the passages mention her birth.",
        "From the passages it cannot be inferred.",
        "No information about this is given.",
        "There is no mention of it in the passages.",
        "Not enough information.",
        "Not mentioned in the passages",
        "Unanswerable",
        "noanswer",
    ],
)
def test_refusals(said: str) -> None:
    assert abstained(said, REFUSAL)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no",
        "No.",
        "No, it does not.",
        "maybe",
        "Paris",
        "I know: Paris",
        "I don't know for sure, but probably Paris",  # it answers after all
        "The passages do not mention it; however, it is Paris.",
        "Nothing",
        "It is not known as Paris",
        "I Don",
        "the passages",
        "No Country for Old Men",
        "No Information Society",
        "Not Now John",
    ],
)
def test_answers(said: str) -> None:
    assert not abstained(said, REFUSAL)


def test_the_study_has_its_own_words() -> None:
    assert abstained("Fehlanzeige.", "fehlanzeige")
    assert abstained("fehlanzeige in den Texten", "Fehlanzeige!")
    assert not abstained("Fehlanzeigen", "Fehlanzeige")
    assert not abstained("Paris", "")


def test_no_real_answer_is_taken_for_a_refusal(test_data: Path) -> None:
    rows = (test_data / "natural_questions" / "nq_open" / "NQ-open.dev.jsonl").read_text().splitlines()
    answers = {answer for row in rows for answer in json.loads(row)["answer"]}
    with gzip.open(test_data / "hotpotqa" / "hotpot_dev_distractor_v1.json.gz") as file:
        answers |= {record["answer"] for record in json.load(file)}
    assert [answer for answer in answers if abstained(answer, REFUSAL)] == []
