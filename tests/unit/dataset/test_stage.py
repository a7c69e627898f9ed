"""The dataset stage: on made corpora, and on the real records of PubMedQA."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
import pytest

from raft_exp import prompts
from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, Passage, Question, Target, read_jsonl, write_jsonl
from raft_exp.core.text import answer_pattern, holds
from raft_exp.dataset import rows as row_builder
from raft_exp.dataset.rows import RowFormat, RowSpec, Window, render_rows
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from tests.helpers.composing import compose
from tests.helpers.stages import run as rooms_of_a_study

SMALL = ["corpus.num_entities=120", "corpus.validation=0.2"]


def run(tmp_path: Path, *overrides: str, rooms: str = "dataset", only: Collection[str] = ()) -> dict[str, Path]:
    """Runs the stages up to `rooms`, or those in `only` with what they need; label -> folder."""
    return rooms_of_a_study(tmp_path / "store", *overrides, until=rooms, only=only)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store the tests share: results of equal settings are made once."""
    return tmp_path_factory.mktemp("shared")


def raft_rows(folder: Path, *overrides: str) -> list[Example]:
    """The training rows of the small study with the recipe raft."""
    return rows(run(folder, *SMALL, *overrides, only=["dataset[raft]"])["dataset[raft]"])


def rows(folder: Path, split: str = "train") -> list[Example]:
    return [row for row in read_jsonl(folder / "rows.jsonl", Example) if row.split == split]


@pytest.fixture(scope="module")
def real(test_data, tmp_path_factory):
    """A window in which every prompt fits, so that nothing is cut."""
    folder = tmp_path_factory.mktemp("real")
    local = [f"corpus.path={test_data / 'pubmedqa'}", "model=tiny", "trainer=cpu", "model.max_length=3072"]
    labels = [f"dataset[{name}]" for name in ("closed_book", "raft", "test")]
    return run(folder, "+experiment=pubmedqa", *local, only=labels)


@pytest.mark.slow
def test_share_with_gold_is_exact_on_real_records(real):
    train = rows(real["dataset[raft]"])
    assert len(train) == 350
    assert sum(row.has_gold for row in train) == round(0.7 * 350)
    assert len(rows(real["dataset[test]"], "test")) == 150


@pytest.mark.slow
def test_contexts_of_real_records(real):
    sizes = {q.id: len(q.gold) for q in read_jsonl(real["questions"] / "questions.jsonl", Question)}
    tested = {row.id for row in rows(real["dataset[test]"], "test")}
    for row in rows(real["dataset[raft]"]) + rows(real["dataset[test]"], "test"):
        distractors = [passage for passage in row.context if not passage.gold]
        texts = [" ".join(passage.text.casefold().split()) for passage in row.context]
        assert len(set(texts)) == len(texts)
        assert row.id not in {passage.document_id for passage in distractors}
        assert len(row.context) == sizes[row.id] + 3, "rows with and without gold have the same size"
        assert len(distractors) == (3 if row.has_gold else sizes[row.id] + 3)
        if row.split == "train":
            assert not {passage.document_id for passage in row.context} & tested


@pytest.mark.slow
def test_gold_places_are_uniform_on_real_records(real):
    from scipy.stats import chisquare

    # one gold passage a row, chosen evenly, so that the observations are independent
    found, expected = Counter[int](), defaultdict[int, float](float)
    generator = np.random.default_rng(0)
    for row in rows(real["dataset[raft]"]):
        places = [place for place, passage in enumerate(row.context) if passage.gold]
        if places:
            found[int(generator.choice(places)) * 4 // len(row.context)] += 1
            for place in range(len(row.context)):
                expected[place * 4 // len(row.context)] += 1 / len(row.context)
    assert chisquare([found[q] for q in range(4)], [expected[q] for q in range(4)]).pvalue > 0.01


@pytest.mark.slow
def test_quotes_are_verbatim_in_gold_and_rows_without_gold_say_so(real):
    figures = json.loads((real["dataset[raft]"] / "audit.json").read_text())["splits"]["train"]
    assert figures["grounded"] == 245
    assert figures["rows_cut"] == 0
    assert figures["quotes_grounded_verbatim"] == figures["quotes_grounded"] > 0
    assert figures["quotes_ungrounded_verbatim"] == 0
    assert figures["repeated_texts"] == figures["distractors_of_gold_document"] == 0
    assert all(row.target_grounded == row.has_gold for row in rows(real["dataset[raft]"]))


@pytest.mark.slow
def test_both_recipes_have_the_same_questions_in_the_same_order(real):
    raft, closed = rows(real["dataset[raft]"]), rows(real["dataset[closed_book]"])
    assert [row.id for row in raft] == [row.id for row in closed]
    assert all(row.context == [] and row.target.startswith("##Answer: ") for row in closed)
    assert all(row.messages[-1] == {"role": "assistant", "content": row.target} for row in raft + closed)


@pytest.mark.slow  # each worker imports transformers
def test_bytes_are_the_same_for_one_and_two_workers(tmp_path):
    few = (*SMALL, "evaluation.arms=[sft,raft]", "evaluation.conditions=null")
    one = run(tmp_path / "one", *few, "dataset.workers=1")
    two = run(tmp_path / "two", *few, "dataset.workers=2")
    assert one["dataset[raft]"].name == two["dataset[raft]"].name, "workers are no part of the key"
    for label in ("dataset[raft]", "dataset[closed_book]", "dataset[test]"):
        assert (one[label] / "rows.jsonl").read_bytes() == (two[label] / "rows.jsonl").read_bytes()


def test_rows_of_two_workers_come_in_their_order(tmp_path, monkeypatch):
    """With threads in place of the processes, of which the first is the slower one."""
    write_passages(tmp_path, [Passage("a", "a", "", "A text.", "", ["A text."], "")])
    monkeypatch.setattr(row_builder, "_builder", None)
    monkeypatch.setattr(row_builder, "get_context", lambda _: None)
    monkeypatch.setattr(row_builder, "ProcessPoolExecutor", threads)
    monkeypatch.setattr(row_builder, "_work", slower_at_first(row_builder._work))
    asked = [Question(f"q{number}", f"What is {number}?", ["it"], [], "test") for number in range(300)]
    form = RowFormat(parse(compose()).prompt, "plain_text", True, Window("asset:tiny", None, 512, 32), False)
    one, two = (
        [row.example.id for row in render_rows(form, tmp_path, [RowSpec(each, [0], None) for each in asked], workers)]
        for workers in (1, 2)
    )
    assert one == two == [question.id for question in asked]


def threads(workers: int, _: object, start: Callable[..., None], arguments: tuple[object, ...]) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, initializer=start, initargs=arguments)


def slower_at_first(work: Callable[[Sequence[RowSpec]], Any]) -> Callable[[Sequence[RowSpec]], Any]:
    """The work, where the first call waits until the second one has ended."""
    calls, second, one_reader = count(), Event(), Lock()

    def waited(specs: Sequence[RowSpec]) -> Any:
        number = next(calls)
        if number == 0:
            assert second.wait(60)
        with one_reader:
            done = work(specs)
        if number == 1:
            second.set()
        return done

    return waited


@pytest.mark.slow
def test_sweeps_of_p_and_distractors_are_paired(shared):
    def made(*overrides):
        return {row.id: row for row in raft_rows(shared, *overrides)}

    low, high = made("dataset.p=0.4"), made("dataset.p=0.6")
    assert {name for name, row in low.items() if row.has_gold} < {name for name, row in high.items() if row.has_gold}
    two, three = made("dataset.num_distractors=2"), made("dataset.num_distractors=3")
    for name, row in two.items():
        assert {passage.id for passage in row.context} < {passage.id for passage in three[name].context}
    fewer = made("dataset.max_items=30")
    assert len(fewer) == 30
    assert set(fewer) <= set(low)
    for name in fewer:  # gold flags may change with n, the distractors of one question do not
        all_of = {p.id for p in made("dataset.p=0", "dataset.max_items=30")[name].context}
        assert all_of == {p.id for p in made("dataset.p=0")[name].context}
        break


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["answer", "answer_only", "refuse"])
def test_what_rows_without_gold_learn(shared, kind):
    train = raft_rows(shared, f"dataset.no_gold_target={kind}")
    without = [row for row in train if not row.has_gold]
    assert without
    assert not any(row.target_grounded for row in without)
    for row in without:
        assert ("##Reason:" in row.target) == (kind == "answer")
        assert ("The passages do not hold the answer." in row.target) == (kind == "refuse")
    assert all("##begin_quote##" in row.target for row in train if row.has_gold)


def test_without_constant_size_rows_without_gold_are_shorter(shared):
    train = raft_rows(shared, "dataset.constant_size=false")
    assert {len(row.context) for row in train if not row.has_gold} == {4}
    assert min(len(row.context) for row in train if row.has_gold) == 5


def test_retrieved_contexts_are_the_best_k_of_the_whole_collection(shared):
    made = run(shared, *SMALL, "evaluation.context=retrieved", "evaluation.k=3", only=["dataset[test]"])
    asked = rows(made["dataset[test]"], "test")
    assert {len(row.context) for row in asked} == {3}
    figures = json.loads((made["dataset[test]"] / "audit.json").read_text())
    assert 0.3 < figures["gold_found"]["recall"] <= 1
    assert figures["gold_found"]["all_gold"] == np.mean(
        [
            {p.id for p in row.context if p.gold} == set(q.gold)
            for row in asked
            for q in read_jsonl(made["questions"] / "questions.jsonl", Question)
            if q.id == row.id
        ]
    )
    told = figures["retrieval"]
    assert (told["retriever"], told["k"], told["gold"]["questions"]) == ("bm25", 3, len(asked))
    firsts = [next((place for place, p in enumerate(row.context, start=1) if p.gold), None) for row in asked]
    assert told["gold"]["mrr"] == pytest.approx(np.mean([1 / first if first else 0 for first in firsts]))
    assert told["gold"]["recall"]["1"] < told["gold"]["recall"]["3"]


@pytest.mark.slow
def test_gold_stands_together_where_it_is_wanted(shared):
    def contexts_of(name, *overrides):
        label = f"dataset[{name}]"
        return {row.id: row.context for row in rows(run(shared, *SMALL, *overrides, only=[label])[label], "test")}

    before, swept = contexts_of("test"), contexts_of("test", "evaluation.gold_at=2")
    assert contexts_of("test@g2", "+evaluation.conditions={g2:{gold_at:2}}") == swept
    assert {sum(passage.gold for passage in context) for context in before.values()} == {1, 2}
    for name, context in swept.items():
        gold = [passage for passage in before[name] if passage.gold]
        assert context[2 : 2 + len(gold)] == gold
        assert [p for p in context if not p.gold] == [p for p in before[name] if not p.gold]
    with pytest.raises(
        DataError, match=r"^evaluation\.gold_at: got 5, but question '.*' has 4 passages .* from 0 to 4,"
    ):
        contexts_of("test", "evaluation.gold_at=5")
    with pytest.raises(
        DataError, match=r"^evaluation\.conditions\.g5\.gold_at: got 5, .* set evaluation\.conditions\.g5"
    ):
        contexts_of("test@g5", "+evaluation.conditions={g5:{gold_at:5}}")


@pytest.mark.slow
def test_without_gold_nothing_that_is_shown_holds_the_answer(shared):
    away = "+evaluation.conditions={no_gold:{without_gold:true}}"
    made = run(shared, *SMALL, "corpus.num_entities=300", away, only=["dataset[test]", "dataset[test@no_gold]"])
    asked = {row.id: row for row in rows(made["dataset[test]"], "test")}
    alone = rows(made["dataset[test@no_gold]"], "test")
    assert [row.id for row in alone] == list(asked)
    for row in alone:
        assert not row.has_gold
        assert not any(passage.gold for passage in row.context)
        assert len(row.context) == len(asked[row.id].context)
        answers = answer_pattern(row.answers)
        assert not any(answers and holds(answers, passage) for passage in row.context)
    figures = json.loads((made["dataset[test@no_gold]"] / "audit.json").read_text())
    assert figures["gold_found"] == {"all_gold": 0, "recall": 0}
    assert figures["fewer_distractors"]["test"] == 0


def test_a_test_question_in_the_training_data_fails_the_build(tmp_path):
    from raft_exp.dataset import training_stage

    made = run(tmp_path, *SMALL, rooms="targets")
    questions = list(read_jsonl(made["questions"] / "questions.jsonl", Question))
    tested = next(question for question in questions if question.split == "test")
    leak = next(question.id for question in questions if question.split == "train")
    copy = replace(tested, id=leak, question=f" {tested.question.upper()}?", split="train")
    leaked = [copy if question.id == leak else question for question in questions]
    (tmp_path / "leaky").mkdir()
    write_jsonl(tmp_path / "leaky" / "questions.jsonl", leaked)
    config = parse(compose(*SMALL))
    stages = {stage.label: stage for stage in pipeline.build(config, Fingerprints(Store(tmp_path / "store")))}
    folders = {"passages": made["ingest"], "targets": made["targets"], "questions": tmp_path / "leaky"}
    with pytest.raises(DataError, match=r"1 test questions are also in the training data.*dataset\.allow_overlap=true"):
        training_stage.raft(stages["dataset[raft]"].config, **folders, out=tmp_path)
    settings = stages["dataset[closed_book]"].config
    training_stage.closed_book(replace(settings, allow_overlap=True), **folders, out=tmp_path)
    assert json.loads((tmp_path / "audit.json").read_text())["overlap"]["test"]["questions"] == 1


def test_a_target_that_cannot_fit_is_refused(shared):
    with pytest.raises(DataError, match=r"question '.*': its target needs \d+ tokens, which leaves no room"):
        run(shared, *SMALL, "evaluation.arms=[raft]", "model.max_length=40", "model.max_new_tokens=20")


@pytest.mark.parametrize(
    ("overrides", "setting"),
    [
        (["+evaluation.conditions={k9: {num_distractors: 999}}"], r"evaluation\.conditions\.k9\.num_distractors"),
        (["evaluation.num_distractors=999"], r"evaluation\.num_distractors"),
        (["dataset.num_distractors=999"], r"dataset\.num_distractors"),
        (
            [
                "+arms.far={recipe: raft, context: passages, cot: true, adapter: null, "
                "dataset: {num_distractors: 999}}",
                "evaluation.arms=[far]",
            ],
            r"arms\.far\.dataset\.num_distractors",
        ),
    ],
)
def test_missing_distractors_are_reported_with_the_setting_that_asked_for_them(shared, overrides, setting):
    with pytest.raises(DataError, match=rf"of 999 distractors are left \({setting}=999\).*; set {setting}=\d+, "):
        run(shared, *SMALL, *overrides)


def test_missing_distractors_of_a_condition_are_counted_in_the_place_of_gold_too(tmp_path):
    few = ("corpus.num_entities=20", "dataset.num_distractors=1", "evaluation.num_distractors=1")
    condition = "+evaluation.conditions={no_gold: {without_gold: true, num_distractors: 9}}"
    with pytest.raises(DataError) as error:
        run(tmp_path, *SMALL, *few, condition)
    message = str(error.value)
    assert re.search(r"under the condition no_gold: \d+ of 1[01] distractors are left", message)
    assert re.search(r"conditions\.no_gold\.num_distractors=9, plus [12] in place of its gold\)", message)
    assert message.endswith("remove the condition no_gold, or set evaluation.allow_fewer=true to go on with fewer")


@pytest.mark.slow
def test_long_contexts_are_cut_to_the_window_and_counted(shared):
    narrow = ("model.max_length=320", "model.max_new_tokens=64", "evaluation.num_distractors=6")
    made = run(shared, *SMALL, *narrow, only=["dataset[raft]"])
    figures = json.loads((made["dataset[raft]"] / "audit.json").read_text())["splits"]["train"]
    assert figures["distractors_cut"] > 0
    assert figures["rows_cut"] > 0
    assert figures["prompt_tokens"]["max"] + 64 <= 320


def test_passages_of_the_run_are_whole(shared):
    found = Passages(run(shared, *SMALL, rooms="ingest")["ingest"])
    assert len(found) >= 120
    assert all("".join(passage.sentences) == passage.text for passage in found)


@pytest.mark.slow
def test_a_longer_instruction_of_either_kind_fits_every_arm(shared):
    tokenizer = load_tokenizer("asset:tiny")
    for longer in ("answer_instruction", "reason_instruction"):
        override = f"prompt.{longer}='{' '.join(['more'] * 40)}'"
        narrow = ("model.max_length=420", "model.max_new_tokens=64", "evaluation.max_items=20")
        made = run(shared, *SMALL, *narrow, override, only=["dataset[test]"])
        config = parse(compose(override))
        asked = rows(made["dataset[test]"], "test")
        assert len(asked) == 20
        for row in asked:
            for cot in (True, False):
                prompt = prompts.messages(config.prompt, "plain_text", row.question, row.context, cot)
                assert len(encode_prompt(tokenizer, prompt)) <= 420 - 64


def test_reasoning_without_a_reason_is_refused(shared):
    with pytest.raises(DataError, match=r"dataset\.cot=true, but .* wrote no reasoning; use teacher=extractive"):
        run(shared, *SMALL, "teacher=reference", "evaluation.arms=[raft]")


def test_a_leak_is_counted_also_where_the_gold_is_not(tmp_path):
    texts = {"a:0": "the gold", "a:1": "of the same document", "b:0": "it was Paris", "c:0": "nothing"}
    write_passages(tmp_path, [Passage(name, name[0], "", text, "", [text], "") for name, text in texts.items()])
    config = parse(compose())
    window = Window("asset:tiny", None, 512, 32)
    asked = Question("q", "Where?", ["Paris"], ["a:0"], "train")
    job = RowSpec(asked, [1, 2, 3], Target("q", "Paris"))
    (row,) = render_rows(RowFormat(config.prompt, "plain_text", True, window, False), tmp_path, [job], workers=1)
    assert not row.example.has_gold
    assert row.counts["distractors_of_gold_document"] == 1
    assert row.counts["distractors_with_answer"] == 1
