"""Prompts that do not fit: the cut does not know the gold, and what the rows say of the gold is about what is shown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import ContextPassage, Example, Passage, Question, Target, read_jsonl
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.dataset.rows import RowBuilder, RowFormat, RowSpec, Window
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import run
from tests.helpers.worlds import MANY

LENGTHS = (40, 900, 160, 2400, 700)  # characters of the passages of the made collection
WINDOW = 640


def made_passages() -> Iterator[Passage]:
    for number, length in enumerate(LENGTHS):
        sentences = [f" Sentence {place} of document {number} is here." for place in range(length // 35 + 1)]
        yield Passage(f"{number}:0", f"{number}", f"T{number}", "".join(sentences), "", sentences, "made")


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_passages(folder, made_passages())
    return RowBuilder(row_format(), folder)


def row_format(cot: bool = True) -> RowFormat:
    return RowFormat(parse(compose()).prompt, "plain_text", cot, Window("asset:tiny", None, WINDOW, 96), True)


ORDERS = st.lists(st.integers(0, len(LENGTHS) - 1), min_size=1, unique=True)
GOLD = st.lists(st.sampled_from([f"{number}:0" for number in range(len(LENGTHS))]), unique=True)


@pytest.mark.slow
@given(order=ORDERS, one=GOLD, other=GOLD)
@settings(MANY, max_examples=60)
def test_the_cut_does_not_depend_on_which_passages_are_gold(builder, order, one, other):
    asked = Question("q", "What is here?", ["yes"], one, "test")
    rows = [builder(RowSpec(replace(asked, gold=gold), order, None)).example for gold in (one, other)]
    assert rows[0].messages == rows[1].messages
    assert [passage.text for passage in rows[0].context] == [passage.text for passage in rows[1].context]


@pytest.mark.slow
@given(order=ORDERS, gold=GOLD, named=st.lists(st.tuples(st.sampled_from(range(len(LENGTHS))), st.integers(0, 60))))
@settings(MANY, max_examples=60)
def test_gold_is_shown_where_all_its_named_sentences_are(builder, order, gold, named):
    passages = list(made_passages())
    evidence = [(passages[d].id, n) for d, n in named if passages[d].id in gold and n < len(passages[d].sentences)]
    row = builder(RowSpec(Question("q", "Is it?", ["no"], gold, "test", evidence=evidence), order, None))
    by_id = {passage.id: passage for passage in row.example.context}
    for name in gold:
        sentences = [passages[int(name[0])].sentences[number].strip() for of, number in evidence if of == name]
        if name in by_id and sentences:
            assert by_id[name].gold == all(sentence in by_id[name].text for sentence in sentences)
        elif name in by_id:
            share = len(by_id[name].text) / len(passages[int(name[0])].text.strip())
            assert by_id[name].gold == (share >= 0.5) or abs(share - 0.5) < 0.01
    assert row.example.has_gold == (bool(gold) and all(name in by_id and by_id[name].gold for name in gold))
    assert row.gold_shown == sum(passage.gold for passage in row.example.context)
    assert row.gold_wanted == len(gold)


def cut_row(tmp_path: Path, question: Question, *texts: str, target: Target | None = None, cot: bool = True):
    sentences = [[f"{part}." for part in text.split(".") if part] for text in texts]
    told = [Passage(f"{n}", f"d{n}", "", "".join(of), "", of, "made") for n, of in enumerate(sentences)]
    write_passages(tmp_path, told)
    spec = RowSpec(question, list(range(len(texts))), target, target is not None)
    return RowBuilder(row_format(cot), tmp_path)(spec)


LONG = ". ".join(f"Nothing much happened in the year {year} of the long reign" for year in range(1700, 1780)) + "."


@pytest.mark.parametrize(("text", "shown"), [(f"It was Paris. {LONG}", True), (f"{LONG} It was Paris.", False)])
def test_an_open_answer_must_stand_in_what_is_shown(tmp_path, text, shown):
    row = cut_row(tmp_path, Question("q", "Where?", ["Paris"], ["0"], "train"), text, LONG, target=Target("q", "Paris"))
    assert row.counts["rows_cut"] == 1
    assert row.example.has_gold == row.example.context[0].gold == row.example.target_grounded == shown
    assert row.counts["rows_gold_lost"] == int(not shown)
    assert not row.example.context[1].gold
    assert row.counts["distractors_of_gold_document"] == 0, "a passage that lost its evidence is no distractor"


@pytest.mark.parametrize(("text", "shown"), [(f"Parisians left. {LONG} To Paris.", False), (f"To paris; {LONG}", True)])
def test_an_answer_stands_by_whole_words(tmp_path, text, shown):
    row = cut_row(tmp_path, Question("q", "Where?", ["Paris"], ["0"], "test"), text, LONG)
    assert row.example.has_gold == shown


def test_the_answer_must_stand_also_where_the_named_sentence_does_not_hold_it(tmp_path):
    question = Question("q", "Where?", ["Paris"], ["0"], "test", evidence=[("0", 0)])
    assert not cut_row(tmp_path, question, f"It was so. {LONG} It was Paris.", LONG).example.has_gold


@pytest.mark.parametrize(("before", "after", "shown"), [("", LONG, True), (LONG, "", False)])
def test_the_sentence_closest_to_the_long_answer_must_stand(tmp_path, before, after, shown):
    question = Question("q", "Is it?", ["yes"], ["0"], "test", explanation="Honey helps small children against cough.")
    row = cut_row(tmp_path, question, f"{before} Honey helped the children against cough. {after}", LONG)
    assert row.counts["rows_cut"] == 1
    assert row.example.has_gold == shown


@pytest.mark.parametrize(("place", "grounded"), [(0, True), (70, False)])
def test_a_target_that_quotes_what_was_cut_is_not_grounded(tmp_path, place, grounded):
    sentences = LONG.split(". ")
    told = Target("q", "yes", f"##begin_quote## {sentences[place]} ##end_quote##")
    question = Question("q", "Is it?", ["yes"], ["0"], "train", evidence=[("0", 0)])
    row = cut_row(tmp_path, question, LONG, target=told).example
    assert row.has_gold
    assert row.target_grounded == grounded


@pytest.mark.parametrize("cot", [True, False])
def test_no_target_quotes_where_no_passage_is_shown(tmp_path, cot):
    write_passages(tmp_path, made_passages())
    told = Target("q", "yes", "##begin_quote## hidden ##end_quote##")
    question = Question("q", "Is it?", ["yes"], ["0:0"], "train")
    row = RowBuilder(row_format(cot), tmp_path)(RowSpec(question, [], told))
    assert "quote" not in row.example.target
    assert "Reason" not in row.example.target
    assert row.example.messages[-1]["content"] == row.example.target
    assert row.counts["reasons_dropped"] == int(cot)
    shown = RowBuilder(row_format(cot), tmp_path)(RowSpec(question, [1], told))
    assert ("hidden" in shown.example.target) == cot
    assert shown.counts["reasons_dropped"] == 0


@dataclass
class Real:
    """Real test rows whose prompts were cut, with their questions and audit."""

    rows: list[Example]
    questions: dict[str, Question]
    passages: Passages
    audit: dict

    def gold(self, row: Example) -> list[ContextPassage]:
        return [passage for passage in row.context if passage.id in self.questions[row.id].gold]


REAL = {
    "hotpotqa": ("hotpotqa/hotpot_dev_distractor_v1.json.gz", "evaluation.context=given", "model.max_length=2048"),
    "natural_questions": (
        "natural_questions/lost-in-the-middle/nq-open-20_total_documents_gold_at_0.jsonl.gz",
        "evaluation.context=given",
        "model.max_length=2048",
    ),
    "pubmedqa": ("pubmedqa", "evaluation.context=gold_and_distractors", "model.max_length=1024"),
}


@pytest.fixture(scope="module", params=REAL)
def real(request, test_data, tmp_path_factory) -> Real:
    file, *more = REAL[request.param]
    local = (f"corpus.path={test_data / file}", "model=tiny", "trainer=cpu", "evaluation.max_items=60")
    one_wording = "evaluation.prompts=as_written"  # each other wording would cost as much time again
    study = (f"+experiment={request.param}", *local, *more, one_wording, "evaluation.arms=[rag]")
    folders = run(tmp_path_factory.mktemp("cut"), *study, only=["dataset[test]"])
    return Real(
        list(read_jsonl(folders["dataset[test]"] / "rows.jsonl", Example)),
        {question.id: question for question in read_jsonl(folders["questions"] / "questions.jsonl", Question)},
        Passages(folders["ingest"]),
        json.loads((folders["dataset[test]"] / "audit.json").read_text()),
    )


@pytest.mark.slow
def test_real_gold_passages_are_cut_as_the_others_are(real):
    cut = 0
    for row in real.rows:
        whole = {p.id: real.passages[real.passages.find(p.id)].text for p in row.context}
        caps = [len(p.text) for p in row.context if len(p.text) < len(whole[p.id].strip())]
        cut += bool(caps)
        for passage in row.context if caps else ():
            assert len(passage.text) <= max(caps) + 42, "no passage is longer than the cap"
            assert passage.text == whole[passage.id] or len(passage.text) >= max(caps) - 42
    assert cut > 0.3 * len(real.rows)
    assert real.audit["splits"]["test"]["rows_cut"] == cut


@pytest.mark.slow
def test_real_rows_hold_the_gold_only_with_its_evidence(real):
    lost = 0
    for row in real.rows:
        question, gold = real.questions[row.id], real.gold(row)
        assert row.has_gold == (len(gold) == len(question.gold) and all(passage.gold for passage in gold))
        shown = {passage.id: " ".join(passage.text.split()) for passage in gold}
        named = [(name, real.passages[real.passages.find(name)].sentences[at]) for name, at in question.evidence]
        pattern = answer_pattern(question.answers)
        whole = [real.passages[real.passages.find(name)].text for name in question.gold]
        in_whole, in_shown = (
            pattern is not None and any(pattern.search(normalise(text)) for text in texts)
            for texts in (whole, shown.values())
        )
        lost += not row.has_gold
        if row.has_gold:
            assert all(" ".join(sentence.split()) in shown[name] for name, sentence in named)
            assert in_shown or not in_whole
    figures = real.audit["splits"]["test"]
    assert 0 < lost == figures["rows_gold_lost"] == len(real.rows) - figures["with_gold"]
    assert real.audit["gold_found"]["all_gold"] == pytest.approx(1 - lost / len(real.rows))
    flags = [passage.gold for row in real.rows for passage in real.gold(row)]
    assert real.audit["gold_found"]["recall"] == pytest.approx(sum(flags) / len(flags))
