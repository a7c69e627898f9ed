"""The lenient extraction of answers: the forms that it reads, and text that it must not read as an answer."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.evaluation.metrics import LABELS, normalize
from raft_exp.prompts.lenient import extract

QUOTE = "##begin_quote## The answer is Lyon. ##Answer: Lyon ##end_quote##"


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        # the asked form, also with something around or behind the answer
        ("##Reason: so it is. ##Answer: Paris", "Paris"),
        ("##Answer: Lyon\n##Answer: Paris", "Paris"),  # the last one
        ("##Answer: Paris ##Reason: it is the capital", "Paris"),
        ("##Answer:\n\nParis\nThat is all.", "Paris"),
        ("##Answer: **Paris**", "Paris"),
        ("##Answer: {Paris}", "Paris"),  # the braces of the instruction
        ("##Answer: Paris. It is the capital of France.", "Paris"),
        ("##Answer: Paris, because it is the capital", "Paris"),
        ("##Answer:", ""),
        # the marker in another spelling
        ("##ANSWER: Paris", "Paris"),
        ("## answer : Paris", "Paris"),
        ("##Answer## Paris", "Paris"),
        ("### Final Answer\n\nParis", "Paris"),
        # JSON
        ('{"answer": "Paris"}', "Paris"),
        ('Here it is:\n```json\n{"reason": "x", "Answer": "Paris"}\n```\nHope this helps.', "Paris"),
        ('{"result": {"answer": ["Paris", "Lyon"]}}', "Paris"),
        ('{"answer": true}', "yes"),
        ('{"answer": 1802}', "1802"),
        ("{'answer': 'Paris'}", "Paris"),
        ('{"reason": "long", "answer": "Pari', "Pari"),  # cut off
        ('{"answer": "No. 5 in E. It is good"}', "No. 5 in E. It is good"),
        # labels and sentences
        ("Answer: Paris", "Paris"),
        ("I think so.\n\n**Final answer:** Paris.", "Paris"),
        ("**Answer**: Paris", "Paris"),
        ("Q: Where?\nA: Paris", "Paris"),
        ("It was built there. The answer is Paris.", "Paris"),
        ("So the correct answer to the question would be “Paris”.", "Paris"),
        (r"Thus \boxed{Paris}.", "Paris"),
        # nothing but the answer on the last line
        ("Paris", "Paris"),
        ("The towns are compared.\n\nParis\n", "Paris"),
        ("##Reason: Paris", "Paris"),
        ("", ""),
        ("\n \n", ""),
        # what is no sign of an answer
        ("The answer is not given in the passages.", ""),  # it declines
        ("The answer is based on passage 2.\nParis", "Paris"),
        # names that hold full stops
        ("##Answer: St. Louis is in the U.S. Army", "St. Louis is in the U.S. Army"),
        ("Answer: J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("Answer: Portugal. The Man", "Portugal. The Man"),
        # quotes are nobody's answer
        (f"##Reason: {QUOTE} ##Answer: Paris", "Paris"),
        (f"{QUOTE}\nParis", "Paris"),
        (QUOTE, ""),
        ("##begin_quote## not ended, the answer is Lyon ##Answer: Paris", "Paris"),
        ("##begin_quote## never ended: answer: Lyon", ""),
        ("> Answer: Lyon\nParis", "Paris"),
    ],
)
def test_forms(raw: str, answer: str) -> None:
    assert extract(raw) == answer


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("Yes, the drug helps.", "yes"),
        ("##Answer: No; it did not.", "no"),
        ("**Maybe**", "maybe"),
        ("Answer: YES", "yes"),
        ("Yes.\n\nThe study shows that it helps.", "yes"),  # the first line, where the last begins with no label
        ("The study shows that it helps.\nNo", "no"),
        ("Yes.\nNo.", "no"),
        ("The answer is maybe.", "maybe"),
        ("##Answer: it depends\nyes", ""),  # the marked answer decides
        ("Notably it helps", ""),
        ("We know it", ""),
        ("No-one knew", ""),
        ("It helps, yes", "yes"),
        ("There is no effect", ""),  # a word of a sentence is no answer
        ("##begin_quote## yes ##end_quote##", ""),
    ],
)
def test_labels(raw: str, label: str) -> None:
    assert extract(raw, LABELS) == label


@given(st.text(max_size=80))
def test_any_text_has_an_answer_of_one_line(raw: str) -> None:
    found = extract(raw)
    assert "\n" not in found
    assert found == found.strip()


def test_a_reply_of_braces_does_not_take_forever() -> None:
    assert extract('{"answer":' * 20_000) is not None
    assert extract("answer " * 5_000 + ": " * 5_000) is not None
    assert extract("#" * 20_000) is not None


FORMS = (
    "##Answer: {}",
    "## answer : {}",
    "Answer: {}",
    "**Final answer:** {}.",
    "I looked it up.\n\n{}",
    f"##Reason: {QUOTE} ##Answer: {{}}",
)


@pytest.mark.slow
def test_real_answers_come_back_whole_out_of_every_form(test_data: Path) -> None:
    rows = (test_data / "natural_questions" / "nq_open" / "NQ-open.dev.jsonl").read_text().splitlines()
    answers = {answer for row in rows for answer in json.loads(row)["answer"]}
    with gzip.open(test_data / "hotpotqa" / "hotpot_dev_distractor_v1.json.gz") as file:
        answers |= {record["answer"] for record in json.load(file)}
    assert len(answers) > 3000
    wrapped = [(form.format(answer), answer) for answer in answers for form in FORMS]
    wrapped += [(json.dumps({"answer": answer}), answer) for answer in answers]
    changed = {answer for raw, answer in wrapped if normalize(extract(raw), nfd=True) != normalize(answer, nfd=True)}
    assert len(changed) <= 0.002 * len(answers), changed  # some answers of HotpotQA are whole sentences
