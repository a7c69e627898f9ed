"""The rows of several recipes in one study: the same questions, retrieved contexts, gold alone, reasoning alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, Question, read_jsonl
from raft_exp.corpora import pools
from raft_exp.dataset import training_stage
from raft_exp.dataset.distractor_count import DistractorRange, of_question
from raft_exp.retrieval.bm25 import Bm25
from tests.helpers.stages import run, stages_of

ARMS = "evaluation.arms=[rag,oracle,sft,sft_cot,raft,raft_retrieved]"
SMALL = ("model=pocket", "corpus.num_entities=60", "corpus.validation=0.1", "dataset.max_items=40")
K = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """The result folders of the stages up to the data sets, by label."""
    more = ("dataset.num_distractors={min:0,max:4}", f"retriever.k={K}", "evaluation.max_items=12", "seed=3")
    return run(tmp_path_factory.mktemp("arms"), *SMALL, ARMS, *more)


def rows(made: dict[str, Path], name: str) -> list[Example]:
    return list(read_jsonl(made[f"dataset[{name}]"] / "rows.jsonl", Example))


def audit(made: dict[str, Path], name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((made[f"dataset[{name}]"] / "audit.json").read_text(encoding="utf-8"))
    return read


def test_all_recipes_have_the_same_questions_in_the_same_order(made):
    names = ("raft", "raft_retrieved", "closed_book", "sft_cot")
    raft, *others = [[(row.id, row.split, row.question) for row in rows(made, name)] for name in names]
    assert len(raft) > 40
    assert all(other == raft for other in others)


def test_a_retrieved_row_has_the_best_k_passages_best_first(made):
    passages = Passages(made["ingest"])
    questions = {row.id: row for row in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    owners = pools.document_splits(passages, questions.values())
    search = Bm25(made["index"], pools.pool(owners, "train"))
    trained = [row for row in rows(made, "raft_retrieved") if row.split == "train"]
    for row in trained:
        gold = [passages.find(name) for name in questions[row.id].gold]
        scores = dict(search.ranked(questions[row.id]))
        scores |= dict(zip(gold, search.similarity(questions[row.id], gold), strict=True))
        best = sorted(scores, key=lambda ordinal: (-scores[ordinal], ordinal))[:K]
        assert [passage.id for passage in row.context] == [passages[ordinal].id for ordinal in best]
        assert row.has_gold == ({passage.id for passage in row.context} >= set(questions[row.id].gold))
    assert 0 < sum(row.has_gold for row in trained) < len(trained), "the retriever decides"


def test_the_audit_counts_the_gold_of_retrieved_rows(made):
    figures = audit(made, "raft_retrieved")
    assert figures["context"] == "retrieved"
    for split in ("train", "validation"):
        of_split = [row for row in rows(made, "raft_retrieved") if row.split == split]
        gold = [sum(passage.gold for passage in row.context) for row in of_split]
        whole, none = sum(row.has_gold for row in of_split), gold.count(0)
        counted = {"whole": whole, "part": len(of_split) - whole - none, "none": none}
        assert figures["gold_in_context"][split] == counted
    assert figures["splits"]["train"]["with_gold"] == figures["gold_in_context"]["train"]["whole"]
    assert figures["fewer_distractors"] == {}
    assert "gold_in_context" not in audit(made, "raft")


def test_targets_of_retrieved_rows_are_those_of_raft(made):
    raft = {row.id: row for row in rows(made, "raft")}
    for row in rows(made, "raft_retrieved"):
        assert row.target == raft[row.id].target
        assert row.target_grounded == row.has_gold


def test_a_row_of_a_range_has_its_own_number_of_passages(made):
    gold = {row.id: len(row.gold) for row in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    trained = [row for row in rows(made, "raft") if row.split == "train"]
    numbers = [of_question(DistractorRange(0, 4), 3, row.id) for row in trained]
    assert set(numbers) == set(range(5))
    assert [len(row.context) for row in trained] == [n + gold[row.id] for n, row in zip(numbers, trained, strict=True)]
    assert not any(audit(made, "raft")["fewer_distractors"].values())


def test_closed_book_reasoning_is_rafts_target_without_any_passage(made):
    raft = {row.id: row for row in rows(made, "raft")}
    for row in rows(made, "sft_cot"):
        assert row.context == []
        assert row.target == raft[row.id].target
        assert "##begin_quote##" in row.target
        assert not row.target_grounded
        assert raft[row.id].context[0].text not in row.messages[-2]["content"]
    assert not any("##Reason" in row.target for row in rows(made, "closed_book"))


def test_gold_alone_is_the_test_without_anything_else(made):
    tested, alone = rows(made, "test"), rows(made, "test_gold")
    assert [row.id for row in tested] == [row.id for row in alone]
    for row, bare in zip(tested, alone, strict=True):
        assert {passage.id for passage in bare.context} == {passage.id for passage in row.context if passage.gold}
        assert bare.has_gold
        assert len(bare.context) < len(row.context)


def test_reasoning_that_no_teacher_wrote_is_refused(made, tmp_path):
    stages = stages_of(*SMALL, ARMS)
    (tmp_path / "targets").mkdir()
    text = (made["targets"] / "targets.jsonl").read_text(encoding="utf-8")
    plain = [json.dumps({**json.loads(line), "reason": ""}) for line in text.splitlines()]
    (tmp_path / "targets" / "targets.jsonl").write_text("\n".join(plain) + "\n", encoding="utf-8")
    folders = {"passages": made["ingest"], "questions": made["questions"], "targets": tmp_path / "targets"}
    with pytest.raises(DataError, match=r"arm with recipe: closed_book and dataset: {cot: true}.*no reasoning"):
        training_stage.closed_book(stages["dataset[sft_cot]"].config, **folders, out=tmp_path)
