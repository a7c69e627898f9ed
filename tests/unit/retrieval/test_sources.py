"""The sources as a study uses them: the guards hold for each, settings that cannot be are refused."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, fingerprint, write_passages
from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.core.records import Example, Passage, Question, read_jsonl, write_jsonl
from raft_exp.corpora import pools
from raft_exp.dataset import training_stage
from raft_exp.pipeline.conditions import condition
from raft_exp.pipeline.parsing import parse
from raft_exp.retrieval import Margin, Rankers, Shares, random_ranker
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers import embeddings as embedded
from tests.helpers import index as indexed
from tests.helpers.composing import compose
from tests.helpers.embeddings import question
from tests.helpers.stages import stages_of
from tests.helpers.worlds import MANY, worlds
from tests.unit.dataset.test_stage import SMALL, rows, run

SHARES: Shares = {"random": 0.25, "bm25": 0.25, "dense": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "bm25", "hybrid", "mixed"])
@given(worlds(), st.integers(0, 5), st.integers(0, 2**16), st.sampled_from([Margin(), Margin(None, 0.05), Margin(2.0)]))
@MANY
def test_distractors_of_every_source_are_what_they_must_be(name, world, wanted, seed, margin):
    made, questions = world
    with TemporaryDirectory() as folder:
        write_passages(Path(folder), made)
        found, generator = Passages(Path(folder)), np.random.default_rng(seed)
        vectors = generator.choice(generator.normal(size=(6, 4)), len(made))  # some passages are alike
        folders = embedded.write(Path(folder), vectors, questions, generator.normal(size=(len(questions), 4)))
        words = indexed.write(Path(folder), found)
        sources = Rankers(DistractorFilter(found, False, answer_allowed=False), seed, folders, margin, words)
        owners = pools.document_splits(found, questions)
        for split in ("train", "validation"):
            pool, asked = pools.pool(owners, split), [each for each in questions if each.split == split]
            if not len(pool):
                continue
            rank = sources.ranker(name, SHARES, pool, partial(list, asked))
            for each in asked:
                chosen = sources.distractor_filter.distractors(each, rank(each), wanted)
                gold = [found[found.find(passage)] for passage in each.gold]
                shown = [found[ordinal] for ordinal in chosen]
                texts = [fingerprint(passage.text) for passage in (*shown, *{g.text: g for g in gold}.values())]
                assert len(set(texts)) == len(texts), "a text twice"
                assert not {passage.document_id for passage in shown} & {passage.document_id for passage in gold}
                assert set(chosen) <= set(pool.tolist())
                fewer = sources.distractor_filter.distractors(each, rank(each), max(0, wanted - 1))
                assert fewer == chosen[: len(fewer)], "D-1 is not inside D"


def test_the_margin_counts_what_it_passes_over(tmp_path):
    texts = ["the mill of Velmor", "the mill by Velmor", "a mill", "birds", "fish"]
    write_passages(tmp_path, [Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(texts)])
    guards, asked = DistractorFilter(Passages(tmp_path), False, True), question("mill Velmor", gold=["0"])
    words = indexed.write(tmp_path, guards.passages)
    rank = Rankers(guards, 0, None, Margin(relative=0.2), words).ranker("bm25", None, np.arange(5), list)
    assert guards.distractors(asked, rank(asked), 3) == [2, 3, 4]
    assert guards.rejected_candidates == {"too_similar": 1, "gold_passage": 1}


@pytest.mark.parametrize(("size", "first"), [(1000, [693, 371, 116, 654, 788]), (5000, [2191, 2112, 172, 1206, 2184])])
def test_chance_has_not_changed(size, first):
    """Another order would be another data set under the settings of an older one."""
    rank = random_ranker(np.arange(size), seed=3)(question("q"))
    assert [next(rank) for _ in range(5)] == first


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(tmp_path_factory.mktemp("study"), *SMALL, rooms="targets")


def raft(study, tmp_path, questions=None, *overrides) -> tuple[list[Example], dict]:
    """Rows and audit of the raft recipe on the study's passages, with these questions."""
    write_jsonl(tmp_path / "questions.jsonl", questions or asked(study))
    folders = {"passages": study["ingest"], "questions": tmp_path, "targets": study["targets"]}
    stage = stages_of(*SMALL, *overrides)["dataset[raft]"]
    words = indexed.write(tmp_path, Passages(study["ingest"])) if "indexed" in stage.inputs else None
    training_stage.raft(stage.config, **folders, indexed=words, out=tmp_path)
    return rows(tmp_path), json.loads((tmp_path / "audit.json").read_text())


def asked(study) -> list[Question]:
    return list(read_jsonl(study["questions"] / "questions.jsonl", Question))


@pytest.mark.slow
def test_given_distractors_are_the_published_ones_and_too_few_are_counted(study, tmp_path):
    published = sorted({name for each in asked(study) if each.split == "train" for name in each.gold})[:3]
    questions = [replace(each, given=published if each.split == "train" else []) for each in asked(study)]
    more = ("dataset.distractors=given", "dataset.num_distractors=3", "dataset.p=1")
    made, audit = raft(study, tmp_path, questions, *more)
    chosen = {row.id: [passage.id for passage in row.context if not passage.gold] for row in made}
    sizes = Counter(len(names) for names in chosen.values())
    assert sizes[3] > 10, "most questions have their three"
    assert sizes[2] > 0, "those about one of the three have two"
    for each in questions:
        if each.split == "train":
            assert set(chosen[each.id]) <= set(published) - set(each.gold)
    assert audit["fewer_distractors"]["train"] == sum(count for size, count in sizes.items() if size < 3)
    assert audit["fewer_distractors"]["validation"] == sum(each.split == "validation" for each in questions)


@pytest.mark.slow
def test_mixed_distractors_come_from_every_source(study, tmp_path):
    shares = "dataset.mixed={random:0.5,bm25:0.5}"
    made, audit = raft(study, tmp_path, None, "dataset.distractors=mixed", shares, "dataset.p=1")
    (tmp_path / "bm25").mkdir()
    near, _ = raft(
        study, tmp_path / "bm25", None, "dataset.distractors=bm25", "dataset.num_distractors=4", "dataset.p=1"
    )
    best = {row.id: {passage.id for passage in row.context} for row in near}
    share = np.mean([p.id in best[row.id] for row in made for p in row.context if not p.gold])
    assert 0.4 < share < 0.65, "half of the four stand among bm25's best four"
    assert audit["fewer_distractors"] == {"train": 0, "validation": 0}


DENSE = [
    "dataset.distractors=dense",
    "evaluation.distractors=dense",
    "dataset.distractors=mixed dataset.mixed={random:0.5,dense:0.5}",
    "evaluation.context=retrieved retriever=dense",
    "evaluation.context=retrieved retriever=hybrid",
    "dataset.distractors=hybrid",
    "+evaluation.conditions={found:{context:retrieved}} retriever=dense",
    "+evaluation.conditions={hard:{distractors:mixed,mixed:{dense:1.0}}}",
]


@pytest.mark.parametrize("overrides", DENSE)
def test_passages_are_embedded_where_something_is_dense(overrides):
    built = stages_of(*overrides.split())
    assert list(built)[:4] == ["ingest", "questions", "embed", "embed[questions]"]
    assert (built["embed"].process == "embed") == (built["embed"].config.encoder.accelerator != "cpu")
    assert list(stages_of(*overrides.split(), "until=embed"))[2:] == ["embed", "embed[questions]"]


BM25 = [
    "dataset.distractors=bm25",
    "evaluation.distractors=bm25",
    "dataset.distractors=mixed dataset.mixed={random:0.5,bm25:0.5}",
    "evaluation.context=retrieved",
    "+evaluation.conditions={found:{context:retrieved}}",
]


@pytest.mark.parametrize("overrides", BM25)
def test_words_are_indexed_once_where_something_is_searched_by_them(overrides):
    built = stages_of(*overrides.split())
    assert list(built)[:4] == ["ingest", "questions", "index", "targets"]
    assert list(stages_of(*overrides.split(), "until=index"))[2:] == ["index"]
    another = stages_of(*overrides.split(), "seed=7", "corpus.world_seed=0", "dataset.num_distractors=1")
    assert built["index"].key == another["index"].key


def test_nothing_is_indexed_where_nothing_is_searched_by_words():
    for overrides in ([], ["evaluation.context=retrieved", "retriever=dense"], ["dataset.mixed={bm25:1.0}"]):
        assert "index" not in stages_of(*overrides)


def test_nothing_is_embedded_where_nothing_is_dense():
    for overrides in (["retriever=dense"], ["dataset.mixed={dense:1.0}"], ["dataset.distractors=bm25"]):
        assert not [label for label in stages_of(*overrides) if label.startswith("embed")]


def test_keys_follow_the_encoder_only_where_it_is_used():
    before = stages_of("dataset.distractors=dense")
    after = stages_of("dataset.distractors=dense", "encoder.max_length=99")
    moved = {label for label in before if before[label].key != after[label].key}
    assert {"embed", "embed[questions]", "dataset[raft]", "evaluate[raft]"} <= moved
    assert not moved & {"ingest", "questions", "targets", "dataset[test]", "dataset[closed_book]", "evaluate[rag]"}
    for exact in ("encoder.batch_size=3", "encoder.accelerator=gpu"):  # they decide the last bits of a vector
        assert before["embed"].key != stages_of("dataset.distractors=dense", exact)["embed"].key


MIXED = "dataset.distractors=mixed"
REFUSED = [
    (
        MIXED,
        r"dataset\.mixed: has no value; .*needs a share.*, as in dataset\.mixed=\{random:0\.5,bm25:0\.5\}",
    ),
    (
        f"{MIXED} dataset.mixed={{random:0.5,bm25:0.4}}",
        r"dataset\.mixed: got .*the sum 0\.9; shares must sum to 1",
    ),
    (
        f"{MIXED} dataset.mixed={{random:0.5,mixed:0.5}}",
        r"dataset\.mixed\.mixed: got 'mixed'; must be .random., .bm25., .dense., .hybrid.",
    ),
    (f"{MIXED} dataset.mixed={{random:-1,bm25:2}}", r"dataset\.mixed\.random: got -1; must be greater than or equal"),
    (
        "dataset.max_score=0.9",
        r"dataset\.max_score: got 0\.9, but .*=random has no similarity scores; use",
    ),
    ("dataset.distractors=given dataset.relative_margin=0.1", r"dataset\.relative_margin: got 0\.1, but .*=given has"),
    ("dataset.relative_margin=5 dataset.distractors=bm25", r"dataset\.relative_margin: got 5; must be less than"),
    ("dataset.distractors=best", r"dataset\.distractors: got 'best'; must be .random., .bm25., .dense., .hybrid., "),
    ("evaluation.distractors=mixed", r"evaluation\.mixed: has no value"),
    ("retriever.name=random", r"retriever\.name: got 'random'; must be .bm25., .dense. or .hybrid."),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(compose(*overrides.split()))
    assert "\n" not in str(error.value)


def test_a_condition_is_checked_too():
    config = parse(compose("+evaluation.conditions={hard:{distractors:mixed,mixed:{random:0.5,bm25:0.5}}}"))
    assert condition(config, "hard").mixed == {"random": 0.5, "bm25": 0.5}
    with pytest.raises(ConfigError, match=r"evaluation\.conditions\.hard: evaluation\.mixed: has no value"):
        parse(compose("+evaluation.conditions={hard:{distractors:mixed}}"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["encoder.revision=null"], r"encoder\.revision: has no value, but 'sentence-transformers/all-MiniLM"),
        (["encoder.name_or_path=./nowhere"], r"encoder\.name_or_path='\./nowhere': no such folder"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused_before_anything_runs(overrides, message):
    with pytest.raises(ModelError, match=message):
        stages_of("dataset.distractors=dense", *overrides)


def test_a_missing_package_is_named(monkeypatch):
    from raft_exp.models import encoder

    monkeypatch.setattr(encoder, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the package sentence_transformers.*pip install 'raft_exp\[dense\]'"):
        stages_of("dataset.distractors=dense")


@pytest.mark.slow
def test_hotpotqa_rows_stand_beside_their_own_paragraphs(test_data, tmp_path):
    data = ["+experiment=hotpotqa", f"corpus.path={test_data / 'hotpotqa'}", "model=tiny", "trainer=cpu"]
    data.append("model.max_length=8192")  # no passage is cut
    made = run(tmp_path, *data, "dataset.num_distractors=4", "evaluation.arms=[raft]", only=["dataset[raft]"])
    given = {each.id: each.given for each in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    train = rows(made["dataset[raft]"])
    assert sum(not passage.gold for row in train for passage in row.context) > 2 * len(train) > 0
    for row in train:
        names = [passage.id for passage in row.context if not passage.gold]
        assert set(names) <= set(given[row.id])


@pytest.mark.slow
def test_pubmedqa_rows_keep_the_margin(test_data, tmp_path):
    data = ["+experiment=pubmedqa", f"corpus.path={test_data / 'pubmedqa'}", "model=tiny", "trainer=cpu"]
    data.append("model.max_length=8192")  # no passage is cut
    margin = ("dataset.distractors=bm25", "dataset.relative_margin=0.5")
    made = run(tmp_path, *data, *margin, "evaluation.arms=[raft]", "dataset.max_items=100", only=["dataset[raft]"])
    collection, questions = Passages(made["ingest"]), list(read_jsonl(made["questions"] / "questions.jsonl", Question))
    pool = pools.pool(pools.document_splits(collection, questions), "train")
    scores, by_id = Bm25(made["index"], pool), {each.id: each for each in questions}
    train = rows(made["dataset[raft]"])
    assert len(train) == 100
    for row in train:
        each = by_id[row.id]
        best = max(scores.similarity(each, map(collection.find, each.gold)))
        others = [collection.find(passage.id) for passage in row.context if not passage.gold]
        assert max(scores.similarity(each, others)) <= best * 0.5
    audit = json.loads((made["dataset[raft]"] / "audit.json").read_text())
    assert audit["passed_over"]["too_similar"] > 0
