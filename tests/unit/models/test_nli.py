"""The model of evaluation.nli entails what its highest logit says; models that cannot decide are refused."""

from dataclasses import replace

import numpy as np
import pytest

from raft_exp.core.errors import ModelError
from raft_exp.models import nli
from raft_exp.models.nli import NliConfig
from tests.helpers import cross_encoder as tiny

sentence_transformers = pytest.importorskip("sentence_transformers", reason="pip install 'raft_exp[dense]'")
TEXTS = [
    "Velmor is a town. It was founded by Lio Tann.",
    "The mill has a wheel.",
    "Mice do not talk.",
    "bad \udc80 text",
]
CLAIMS = ["Lio Tann founded Velmor.", "Who founded Velmor? Lio Tann", "The ship was old and big.", "yes", ""]
PAIRS = [(text, claim) for text in TEXTS for claim in CLAIMS]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tiny.write(tmp_path_factory.mktemp("nli"), names=tiny.NLI, seed=16)
    return NliConfig(str(folder), accelerator="cpu")


def test_a_premise_entails_where_the_label_entailment_has_the_highest_logit(config):
    model = sentence_transformers.CrossEncoder(config.name_or_path, device="cpu")
    pairs = [tuple(text.encode("utf-8", "replace").decode() for text in pair) for pair in PAIRS]
    wanted = np.argmax(model.predict(pairs), axis=1) == 1
    verdicts = nli.load(config)(PAIRS)
    assert [verdict.entailed for verdict in verdicts] == wanted.tolist()
    assert 0 < wanted.sum() < len(PAIRS), "the pairs differ"
    assert not any(verdict.cut for verdict in verdicts)
    assert nli.load(config)([]) == []


def test_the_place_and_the_case_of_the_label_do_not_matter(config, tmp_path):
    other = tiny.write(tmp_path, names=("ENTAILMENT", "not_entailment"), seed=16)
    verdicts = nli.load(replace(config, name_or_path=str(other)))(PAIRS)
    model = sentence_transformers.CrossEncoder(str(other), device="cpu")
    pairs = [tuple(text.encode("utf-8", "replace").decode() for text in pair) for pair in PAIRS]
    assert [verdict.entailed for verdict in verdicts] == (np.argmax(model.predict(pairs), axis=1) == 0).tolist()


def test_texts_that_are_too_long_are_counted(config):
    long = "the mill of Velmor " * 40
    entails = nli.load(config)
    assert [verdict.cut for verdict in entails([(long, "short"), ("short", "short")])] == [True, False]
    assert [verdict.cut for verdict in nli.load(replace(config, max_length=16))([("a long mill of velmor", "b")])] == [
        True
    ]


@pytest.mark.parametrize("names", [("relevant", "other"), ("entailment",), ("entailment", "Entailment"), ()])
def test_a_model_without_one_label_for_entailment_is_refused_before_anything_runs(config, tmp_path, names):
    folder = tiny.write(tmp_path, names=names)
    with pytest.raises(ModelError, match=r"evaluation\.nli\.name_or_path=.*'entailment'; use .*nli=deberta") as error:
        nli.files(replace(config, name_or_path=str(folder)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name_or_path": "./nowhere"}, r"evaluation\.nli\.name_or_path='\./nowhere': no such folder"),
        ({"name_or_path": "owner/model"}, r"evaluation\.nli\.revision: has no value, but 'owner/model' on the hub"),
        ({"name_or_path": "x.gguf"}, r"evaluation\.nli\.name_or_path='x\.gguf'.*cannot be a GGUF file"),
    ],
)
def test_a_model_that_cannot_be_is_refused_before_anything_runs(config, changes, message):
    with pytest.raises(ModelError, match=message):
        nli.files(replace(config, **changes))


def test_a_missing_package_is_named(config, monkeypatch):
    monkeypatch.setattr("raft_exp.models.encoder.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"evaluation\.nli needs .*sentence_transformers.*'raft_exp\[dense\]'"):
        nli.files(config)
