"""The cross-encoder gives the scores of sentence-transformers' CrossEncoder; models that are none are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from raft_exp.core.errors import ModelError
from raft_exp.models import cross_encoder
from raft_exp.models.cross_encoder import RerankConfig
from tests.helpers import cross_encoder as tiny

sentence_transformers = pytest.importorskip("sentence_transformers", reason="pip install 'raft_exp[dense]'")
TEXTS = ["the mill of Velmor", "a mill", "birds and fish", "", "bad \udc80 letters"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tiny.write(tmp_path_factory.mktemp("reranker"))
    return RerankConfig(str(folder), k_first=5, accelerator="cpu")


def test_scores_are_the_logits_of_the_model_and_the_same_each_time(config):
    import torch

    model = sentence_transformers.CrossEncoder(config.name_or_path, device="cpu")
    pairs = [("Where is the mill?", text.encode("utf-8", "replace").decode()) for text in TEXTS]
    logits = model.predict(pairs, activation_fn=torch.nn.Identity())
    scores = cross_encoder.load(config)("Where is the mill?", TEXTS)
    assert scores.tolist() == pytest.approx(logits.tolist(), abs=1e-5)
    assert len(set(scores.tolist())) == len(TEXTS)
    assert np.array_equal(scores, cross_encoder.load(config)("Where is the mill?", TEXTS))


def test_the_files_of_a_folder_are_its_identity(config):
    names = {file.name for file in cross_encoder.files(config)}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name_or_path": "./nowhere"}, r"retriever\.rerank\.name_or_path='\./nowhere': no such folder"),
        ({"name_or_path": "owner/model"}, r"retriever\.rerank\.revision: has no value, but 'owner/model' on the hub"),
        ({"name_or_path": "x.gguf"}, r"retriever\.rerank\.name_or_path='x\.gguf'.*"),
    ],
)
def test_a_model_that_cannot_be_is_refused_before_anything_runs(config, changes, message):
    with pytest.raises(ModelError, match=message) as error:
        cross_encoder.files(replace(config, **changes))
    assert "\n" not in str(error.value)


def test_a_model_with_several_scores_for_a_pair_is_refused(tmp_path):
    score = cross_encoder.load(RerankConfig(str(tiny.write(tmp_path, labels=3)), k_first=5, accelerator="cpu"))
    with pytest.raises(ModelError, match=r"gives several scores .* cross-encoder with one score \(num_labels=1\)"):
        score("Where?", TEXTS)


def test_long_texts_are_cut_to_the_limit_of_the_model_and_a_larger_limit_is_refused(config):
    score, long = cross_encoder.load(config), "the mill of Velmor " * 40
    assert score("Where?", [long]).tolist() == score("Where?", [long + "and more"]).tolist()
    with pytest.raises(ModelError, match=r"rerank\.max_length: got 257, but .* has 256 positions; set .*=null"):
        cross_encoder.load(replace(config, max_length=257))


def test_a_folder_without_weights_is_refused(config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match=r"retriever\.rerank\.name_or_path=.*: not a usable model folder"):
        cross_encoder.load(replace(config, name_or_path=str(tmp_path)))


def test_a_missing_package_and_a_missing_gpu_are_named(config, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"retriever\.rerank\.accelerator: got 'gpu', but torch finds no GPU; use"):
        cross_encoder.load(replace(config, accelerator="gpu"))
    monkeypatch.setattr("raft_exp.models.encoder.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the package sentence_transformers.*pip install 'raft_exp\[dense\]'"):
        cross_encoder.files(config)
